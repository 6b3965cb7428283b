import { finish, mix, mixBytes, mixString } from '../src/wire/mix.ts'
import type { Context } from './scenario.ts'

/** What must hold at the end of any run. Each returns sentences about what does not. */
interface Invariant {
  readonly name: string
  check(context: Context): string[]
}

const MOST_NAMED = 5

const INVARIANTS: readonly Invariant[] = [
  {
    name: 'a live, reachable member is not failed',
    check: ({ sim }) =>
      pairs(sim.nodes, (observer, subject) => {
        const status = sim.cluster(observer).member(subject)?.status
        if (status === 'alive' || status === 'suspect') return undefined
        const { network } = sim.world
        const [one, other] = [sim.world.host(observer), sim.world.host(subject)]
        if (network.blocked(one, other) || network.blocked(other, one)) return undefined
        return `${observer} takes ${subject} for ${status}`
      }),
  },
  {
    name: 'a crashed member is failed at every survivor',
    check({ sim }) {
      const running = new Set(sim.nodes)
      const crashed = sim.world.hosts.filter((host) => !running.has(host.name))
      return sim.nodes.flatMap((observer) =>
        crashed
          .map(({ name }) => ({ name, status: sim.cluster(observer).member(name)?.status }))
          .filter(({ status }) => status === 'alive' || status === 'suspect')
          .map(({ name, status }) => `${observer} takes the dead ${name} for ${status}`),
      )
    },
  },
  {
    name: 'events and snapshots of members agree',
    check: ({ sim, observer }) =>
      pairs(sim.nodes, (one, other) => {
        const [told, shown] = [observer.view(one, other), sim.cluster(one).member(other)?.status]
        return told === shown ? undefined : `${one} told of ${other} as ${told}, and shows it as ${shown}`
      }),
  },
  {
    name: 'participants of a network hold equal tables',
    check: ({ networks, sim }) =>
      networks.flatMap((network) => {
        const running = new Set(sim.nodes)
        const nodesByContent = new Map<string, number>()
        for (const [node, joined] of network.members) {
          if (!running.has(node)) continue
          const content = network.tables.map((table) => summary(joined.table(table).entries())).join()
          nodesByContent.set(content, (nodesByContent.get(content) ?? 0) + 1)
        }
        if (nodesByContent.size <= 1) return []
        const found = [...nodesByContent].map(([content, nodes]) => `${content} at ${nodes} nodes`)
        return [`network "${network.name}" has different contents: ${found.join('; ')}`]
      }),
  },
  {
    name: 'no exception reaches the runtime',
    check: ({ sim }) =>
      sim.world.faults.map(
        ({ node, atMs, error }) => `${node} at ${atMs} ms: ${error instanceof Error ? error.stack : error}`,
      ),
  },
]

export function checkInvariants(context: Context): { checked: number; violations: string[] } {
  const violations = INVARIANTS.flatMap((invariant) => {
    const found = invariant.check(context)
    const more =
      found.length > MOST_NAMED ? [`${invariant.name}: ... and ${found.length - MOST_NAMED} more`] : []
    return [...found.slice(0, MOST_NAMED).map((violation) => `${invariant.name}: ${violation}`), ...more]
  })
  return { checked: INVARIANTS.length, violations: [...context.measured.violations, ...violations] }
}

function pairs(
  names: readonly string[],
  check: (observer: string, subject: string) => string | undefined,
): string[] {
  const found: string[] = []
  for (const observer of names) {
    for (const subject of names) {
      const violation = observer === subject ? undefined : check(observer, subject)
      if (violation !== undefined) found.push(violation)
    }
  }
  return found
}

/** How many entries, and 64 bits of hash of them in any order. Values are hashed as the bytes or the JSON that they are. */
function summary(
  entries: Iterable<readonly [string, { readonly value: unknown; readonly owner: string }]>,
): string {
  let count = 0
  let low = 0
  let high = 0
  for (const [key, { value, owner }] of entries) {
    const named = mixString(mixString(0, key), owner)
    const hash =
      value instanceof Uint8Array
        ? mixBytes(named, value)
        : mixString(named, JSON.stringify(value) ?? 'undefined')
    count++
    low = (low + finish(hash)) >>> 0
    high = (high + finish(mix(hash, 1))) >>> 0
  }
  return `${count} entries (${high.toString(16)}.${low.toString(16)})`
}
