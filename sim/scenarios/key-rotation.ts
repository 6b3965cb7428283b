import { distribution } from '../measure.ts'
import type { Context, Scenario } from '../scenario.ts'
import { type FaultStep, keyOf, runSchedule } from '../schedule.ts'
import { Traffic } from '../traffic.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonName,
  calm,
  fillMinutes,
  reached,
  startAll,
  startNode,
  totalTraffic,
} from './common.ts'
import { someSeeds, sorted } from './faults.ts'
import { Spread, Workplace } from './networks.ts'
import { Rings } from './rings.ts'

type Name =
  | CommonName
  | 'rotations'
  | 'spacingMs'
  | 'atOnce'
  | 'entriesPerSecond'
  | 'stalled'
  | 'cut'
  | 'restarted'

const ROTATION_TIMEOUT_MS = 120_000
const SPREAD_TIMEOUT_MS = 120_000
/** Traffic counts for so long after the end of a rotation, for what is still being told of it. */
const AFTERMATH_MS = 5_000
/** Beyond the grace of retired keys, so that a packet under one would be noticed. */
const QUIET_MS = 40_000
/** Long enough to hold a step up, too short to be held failed. */
const STALL_MS = 1_500
/** Long enough for the others to go on without those who are cut off, and to be done before they are back. */
const CUT_MS = 12_000
/** Restarts come at any time up to this. */
const RESTART_MS = 1_000
const VALUE_BYTES = 32
/** Keys of the table, each written again and again. */
const DISTINCT_ENTRIES = 2_000

export const keyRotation: Scenario<Name> = {
  name: 'key-rotation',
  docs: 'The key of the cluster is changed while it runs and entries are written: how long until everyone holds the new one and no other.',
  page:
    'Random nodes rotate the key of the cluster, one after the other or several at once, while others write entries; some may be stalled, ' +
    'cut off or restarted meanwhile. Measured: for each rotation the time until every node holds the new key alone, what it cost, and how ' +
    'long entries took to be everywhere. No packet and no stream may be dropped for its key.',
  parameters: {
    ...COMMON,
    sealed: { ...COMMON.sealed, default: 1, min: 1 },
    rotations: { default: 3, min: 1, max: 100, docs: 'how often the key is changed' },
    spacingMs: {
      default: 10_000,
      min: 0,
      max: 600_000,
      docs: 'time between the end of a rotation and the next',
    },
    atOnce: {
      default: 1,
      min: 1,
      max: 8,
      docs: 'nodes that begin one at the same time, each with its own key',
    },
    entriesPerSecond: { default: 20, min: 0, max: 10_000, docs: 'entries written each second all the while' },
    stalled: { default: 0, min: 0, max: 1000, docs: `nodes that stall for ${STALL_MS} ms as each begins` },
    cut: {
      default: 0,
      min: 0,
      max: 1000,
      docs: `nodes that are cut off from the others for ${CUT_MS} ms as each begins`,
    },
    restarted: {
      default: 0,
      min: 0,
      max: 1000,
      docs: 'nodes that are killed and started anew while each is under way',
    },
  },
  lastsMs: ({ rotations, spacingMs }) => rotations * (spacingMs + AFTERMATH_MS + 2_000) + QUIET_MS,
  async run(context) {
    const { sim, set, measured } = context
    const names = await startAll(context)
    const rings = new Rings(context)
    for (const name of names) rings.follow(name)
    const roles = cast(context, names)
    const inside = names.filter((name) => !roles.restarted.includes(name))
    const workplace = new Workplace(context, 'blue')
    await workplace.join(inside)
    await sim.advance(10_000)
    beginMeasuring(context)
    const spread = new Spread(context, workplace, inside)
    let over = false
    const writing = write(context, workplace, spread, inside, () => over)
    const failedBefore = rings.sum('probe.failed')
    const sent = new Traffic()
    let suspected = 0
    measured.convergenceMs = []
    for (let done = 1; done <= set.rotations; done++) {
      context.progress(`rotation ${done} of ${set.rotations}`)
      const from = totalTraffic(context)
      const suspectedBefore = rings.suspected
      if (!(await rotate(context, rings, roles))) {
        measured.violations.push(`rotation ${done} was not over after ${ROTATION_TIMEOUT_MS} ms`)
        break
      }
      await sim.advance(AFTERMATH_MS)
      sent.add(totalTraffic(context)).add(from, -1)
      suspected += rings.suspected - suspectedBefore
      await sim.advance(set.spacingMs)
    }
    over = true
    await writing
    await spread.finish(SPREAD_TIMEOUT_MS)
    await calm(context, QUIET_MS)
    const dropped = rings.dropped(set.restarted > 0)
    for (const [cause, count] of dropped) {
      if (count > 0) measured.violations.push(`${count} were dropped: ${cause}`)
    }
    const each = names.length * set.rotations
    measured.rotation = {
      packetsPerNode: sent.packetsSent / each,
      bytesPerNode: sent.bytesSent / each,
      streamsPerNode: sent.streamsOpened / each,
      streamBytesPerNode: sent.streamBytesSent / each,
      dropped: [...dropped.values()].reduce((sum, count) => sum + count),
      probesFailed: rings.sum('probe.failed') - failedBefore,
      suspected,
      entriesMs: distribution(spread.arrivedMs),
    }
    await fillMinutes(context)
  },
}

/** Who begins rotations, and to whom something happens in each of them. */
interface Roles {
  readonly healthy: readonly string[]
  readonly stalled: readonly string[]
  readonly cut: readonly string[]
  readonly restarted: readonly string[]
}

function cast({ random, set }: Context<Name>, names: readonly string[]): Roles {
  const shuffled = random.sample(names, names.length)
  const take = (count: number): string[] => shuffled.splice(0, Math.round(count))
  const [stalled, cut, restarted] = [take(set.stalled), take(set.cut), take(set.restarted)]
  if (shuffled.length <= names.length / 2)
    throw new Error('more than half of the nodes are to be left in peace')
  return { healthy: shuffled, stalled, cut, restarted }
}

/** Whether everyone holds one of the new keys in time, and no other. */
async function rotate(context: Context<Name>, rings: Rings, roles: Roles): Promise<boolean> {
  const { sim, observer, random, set, measured } = context
  const { stalled, cut, restarted, healthy } = roles
  const began = sim.now
  const starters = random.sample(healthy, Math.round(set.atOnce))
  const keys = starters.map((starter) => {
    const key = keyOf(random.int(2 ** 32))
    const rotated = sim.cluster(starter).rotateKey(key)
    // Of several that begin at once, one may be overtaken.
    rotated.catch((error) => starters.length > 1 || measured.violations.push(`${starter}: ${error}`))
    return key
  })
  const troubled = [...stalled, ...cut, ...restarted]
  for (const name of troubled) observer.impair(name)
  observer.excuse((one, other) => cut.includes(one) !== cut.includes(other))
  rings.trouble(troubled)
  const steps: FaultStep[] = [
    ...stalled.map((node): FaultStep => ({ at: 0, kind: 'pause', node, ms: STALL_MS })),
    ...restarted.map((node): FaultStep => ({ at: random.float() * RESTART_MS, kind: 'restart', node })),
  ]
  if (cut.length > 0) {
    const others = [...healthy, ...stalled, ...restarted]
    steps.push({ at: 0, kind: 'partition', groups: [cut, others], ms: CUT_MS })
  }
  await runSchedule(sim, sorted(steps), {
    start: async (node) => {
      const kept = rings.of(node)
      const seeds = someSeeds(context, node)
      await startNode(context, node, kept.length > 0 ? { seeds, keys: kept } : { seeds })
      rings.follow(node)
    },
    stopped: (node) => observer.crashed(node),
    startFailed: (node, error) => measured.violations.push(`${node} did not start: ${error}`),
  })
  const nodes = sim.nodes.length
  if (!(await reached(context, () => rings.agreed(nodes, keys), ROTATION_TIMEOUT_MS))) return false
  measured.convergenceMs?.push(sim.now - began)
  return true
}

async function write(
  { sim, random, set }: Context<Name>,
  workplace: Workplace,
  spread: Spread,
  writers: readonly string[],
  over: () => boolean,
): Promise<void> {
  if (set.entriesPerSecond === 0) return
  for (let i = 0; !over(); i++) {
    await sim.advance(random.exponential(1000 / set.entriesPerSecond))
    spread.write(random.pick(writers), `entry-${i % DISTINCT_ENTRIES}`, workplace.value(VALUE_BYTES))
  }
}
