import type { Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  durationOf,
  startAll,
} from './common.ts'
import { Spread, Workplace } from './networks.ts'

type Name =
  | CommonName
  | 'endpoints'
  | 'movesPerSecond'
  | 'reuse'
  | 'lateMs'
  | 'stale'
  | 'outsiders'
  | 'durationMs'

const SPREAD_TIMEOUT_MS = 120_000
const QUIET_MS = 45_000
const VALUE_BYTES = 32

interface Endpoint {
  /** The IP that it has now. */
  key: string
  host: string
}

export const entryChurn: Scenario<Name> = {
  name: 'entry-churn',
  docs:
    'Endpoints move from host to host with their IP, or give it up to another endpoint elsewhere, and old hosts delete ' +
    'their entries early, late or never: how long until everyone knows where each IP is.',
  page:
    'Each endpoint owns an IP at some host. Moves come at random: an endpoint goes to another host ' +
    'with its IP, or two endpoints at different hosts swap their IPs. The host that had an IP deletes ' +
    'its entry before, or up to lateMs after, the new one has set its own. Measured: for each move ' +
    'the time until every node shows the new owner; a later move of the same IP ends the wait. In the ' +
    'end each node must show each IP where it is, though some old hosts never deleted their ' +
    'entries.',
  parameters: {
    ...COMMON,
    endpoints: { default: 200, min: 1, max: 1_000_000, docs: 'endpoints in all' },
    movesPerSecond: { default: 5, min: 0.01, max: 100_000, docs: 'moves each second' },
    reuse: {
      default: 0.3,
      min: 0,
      max: 1,
      docs: 'share of moves in which two endpoints swap their IPs instead',
    },
    lateMs: {
      default: 500,
      min: 0,
      max: 600_000,
      docs: 'an old host deletes up to so much earlier or later',
    },
    stale: {
      default: 0.1,
      min: 0,
      max: 1,
      docs: 'share of old hosts that never delete; 0 with skewed clocks',
    },
    outsiders: { default: 0.2, min: 0, max: 1, docs: 'share of the nodes that do not join the network' },
    durationMs: { default: 60_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
  },
  lastsMs: ({ durationMs }) => durationMs + QUIET_MS,
  async run(context) {
    const { sim, random, set } = context
    const names = await startAll(context)
    const outside = Math.min(Math.round(names.length * set.outsiders), names.length - 2)
    const inside = names.slice(0, names.length - outside)
    const workplace = new Workplace(context, 'blue')
    context.progress(`${inside.length} nodes join "blue"`)
    await workplace.join(inside)
    const endpoints: Endpoint[] = Array.from({ length: set.endpoints }, (_, i) => {
      const endpoint = { key: `10.${i >>> 16}.${(i >>> 8) & 0xff}.${i & 0xff}`, host: random.pick(inside) }
      workplace.table(endpoint.host).set(endpoint.key, workplace.value(VALUE_BYTES))
      return endpoint
    })
    await sim.advance(QUIET_MS)
    beginMeasuring(context)
    const spread = new Spread(context, workplace, inside)
    // Of claims that have not heard of each other, skewed clocks may let the older one win.
    const stale = set.clockSkewMs > 0 ? 0 : set.stale
    const mover = new Mover(context, workplace, spread, { lateMs: set.lateMs, stale })
    const until = sim.now + durationOf(context, set.durationMs)
    context.progress('endpoints move')
    while (sim.now < until) {
      await sim.advance(random.exponential(1000 / set.movesPerSecond))
      const one = random.pick(endpoints)
      const other = random.pick(endpoints)
      if (random.chance(set.reuse) && one.host !== other.host) {
        const { key } = one
        mover.take(one, other.key, one.host)
        mover.take(other, key, other.host)
      } else {
        mover.take(one, one.key, random.pick(inside))
      }
    }
    await mover.settled()
    await spread.finish(SPREAD_TIMEOUT_MS)
    context.measured.convergenceMs = spread.arrivedMs
    context.progress('quiet')
    await sim.advance(QUIET_MS)
    mover.check(endpoints, inside)
  },
}

/** Moves endpoints, and knows in the end where each IP has to be. */
class Mover {
  readonly #context: CommonContext
  readonly #workplace: Workplace
  readonly #spread: Spread
  readonly #old: { readonly lateMs: number; readonly stale: number }
  /** Who holds each IP now. */
  readonly #holders = new Map<string, string>()
  readonly #deletions: Promise<void>[] = []

  /** `old` is what hosts do that have lost an IP: delete it up to so much later, or, some of them, never. */
  constructor(
    context: CommonContext,
    workplace: Workplace,
    spread: Spread,
    old: { readonly lateMs: number; readonly stale: number },
  ) {
    this.#context = context
    this.#workplace = workplace
    this.#spread = spread
    this.#old = old
  }

  /** An endpoint is at this host from now on, with this IP. */
  take(endpoint: Endpoint, key: string, host: string): void {
    const { sim, random } = this.#context
    const before = this.#holders.get(key) ?? this.#ownerOf(key)
    endpoint.key = key
    endpoint.host = host
    this.#holders.set(key, host)
    if (before !== undefined && before !== host && !random.chance(this.#old.stale)) {
      const early = random.chance(0.5)
      if (early) this.#workplace.table(before).delete(key)
      else
        this.#deletions.push(
          sim.advance(random.float() * this.#old.lateMs).then(() => this.#release(before, key)),
        )
    }
    this.#spread.write(host, key, this.#workplace.value(VALUE_BYTES))
  }

  async settled(): Promise<void> {
    await Promise.all(this.#deletions)
  }

  /** Whether everyone shows each endpoint where it is. */
  check(endpoints: readonly Endpoint[], nodes: readonly string[]): void {
    const { violations } = this.#context.measured
    for (const { key, host } of endpoints) {
      const wrong = nodes.find((node) => this.#workplace.table(node).get(key)?.owner !== host)
      if (wrong === undefined) continue
      const shown = this.#workplace.table(wrong).get(key)?.owner
      violations.push(`${wrong} shows ${key} at ${shown}, and it is at ${host}`)
    }
  }

  /** Unless it has come back meanwhile. */
  #release(host: string, key: string): void {
    if (this.#holders.get(key) !== host) this.#workplace.table(host).delete(key)
  }

  #ownerOf(key: string): string | undefined {
    const [node] = this.#workplace.members.keys()
    return this.#workplace.table(node!).get(key)?.owner
  }
}
