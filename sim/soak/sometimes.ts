import type { Metrics } from '../../src/metrics.ts'

/**
 * Hard states that a batch of runs has to reach, or it proves little. What a run counts under these names is summed over the
 * batch.
 */
export const SOMETIMES = {
  refuted: 'a node refuted what was said of it',
  savedIndirectly: 'a helper reached a member whose direct ack did not come',
  savedByStream: 'a stream reached a member whose packets did not come',
  certificates: 'a member was held failed by a quorum of accusers',
  timeouts: 'a member was held failed by time-out',
  isolated: 'a node took itself for cut off',
  returned: 'a failed member came back in the same life',
  partitionsHealed: 'members of the core held each other failed, and agreed in the end',
  gapsHealed: 'a sync after digests had differed brought entries to agreement',
  syncsCut: 'a sync failed',
  parked: 'an operation came before what it rests on',
  bumps: 'an owner opened a new epoch of its log, since others knew of a later one',
  inherited: 'a restarted node found entries of its former life',
  contested: 'a node set a key that another one had claimed',
  replaysDropped: 'a packet that came twice was dropped where keys are set',
  rotated: 'a node saw a rotation of keys come to its end',
  rotatedInLoss: 'a rotation met loss',
} as const

export type Sometimes = keyof typeof SOMETIMES

export type Tally = Record<Sometimes, number>

export function emptyTally(): Tally {
  const names = Object.keys(SOMETIMES) as Sometimes[]
  return Object.fromEntries(names.map((name) => [name, 0])) as Tally
}

export function addTally(to: Tally, from: Readonly<Tally>): void {
  for (const name of Object.keys(to) as Sometimes[]) to[name] += from[name]
}

const METRIC: Readonly<Partial<Record<Sometimes, string>>> = {
  refuted: 'membership.refutations',
  savedIndirectly: 'probe.indirect',
  savedByStream: 'probe.stream',
  certificates: 'membership.certificates',
  timeouts: 'membership.timeouts',
  syncsCut: 'sync.failed',
  parked: 'entries.parked',
  bumps: 'entries.bumps',
  replaysDropped: 'dropped.replayed',
  rotated: 'keys.rotations',
}

/** Adds what one life of a node has counted. */
export function addMetrics(to: Tally, metrics: Metrics): void {
  for (const [name, metric] of Object.entries(METRIC)) to[name as Sometimes] += metrics[metric] ?? 0
  to.gapsHealed += Math.min(metrics['sync.mismatches'] ?? 0, metrics['sync.completed'] ?? 0)
}

/** What never happened in a batch. */
export function never(tally: Readonly<Tally>): string[] {
  return (Object.keys(SOMETIMES) as Sometimes[])
    .filter((name) => tally[name] === 0)
    .map((name) => `${name}: ${SOMETIMES[name]}`)
}
