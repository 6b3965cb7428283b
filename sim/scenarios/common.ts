import type { Profile } from '../../src/options.ts'
import type { NetworkOptions } from '../network.ts'
import type { Context, Parameter } from '../scenario.ts'
import type { NodeOptions } from '../simulation.ts'
import { TOPOLOGIES } from '../topologies.ts'
import { Traffic } from '../traffic.ts'

export type CommonName =
  | 'loss'
  | 'duplication'
  | 'reordering'
  | 'reorderMs'
  | 'corruption'
  | 'streamBreaks'
  | 'latencyMs'
  | 'latencySigma'
  | 'topology'
  | 'mtuBytes'
  | 'bandwidthMbps'
  | 'serviceMs'
  | 'clockSkewMs'
  | 'staggerMs'
  | 'profile'
  | 'sealed'

const PROFILES: readonly Profile[] = ['lan', 'wan', 'local', 'vm']

/** What every scenario lets be set. */
export const COMMON: Readonly<Record<CommonName, Parameter>> = {
  loss: { default: 0, min: 0, max: 1, docs: 'probability that a packet is lost' },
  duplication: { default: 0, min: 0, max: 1, docs: 'probability that a packet arrives twice' },
  reordering: { default: 0, min: 0, max: 1, docs: 'probability that a packet is held up and overtaken' },
  reorderMs: { default: 20, min: 0, max: 10_000, docs: 'mean time for which such a packet is held up' },
  corruption: { default: 0, min: 0, max: 1, docs: 'probability that bits of a packet are flipped' },
  streamBreaks: {
    default: 0,
    min: 0,
    max: 1,
    docs: 'probability that an open stream breaks within a second',
  },
  latencyMs: { default: 0.8, min: 0, max: 10_000, docs: 'median one-way latency' },
  latencySigma: { default: 0.5, min: 0, max: 3, docs: 'spread of the latency (of its logarithm)' },
  topology: {
    default: 0,
    min: 0,
    max: TOPOLOGIES.length - 1,
    docs: choices(TOPOLOGIES.map(({ name }) => name)),
  },
  mtuBytes: { default: 1472, min: 500, max: 65_507, docs: 'larger packets vanish' },
  bandwidthMbps: { default: 1000, min: 0.1, max: 1e6, docs: "each host's uplink" },
  serviceMs: { default: 0.05, min: 0, max: 1000, docs: 'work of a process for each packet' },
  clockSkewMs: { default: 0, min: 0, max: 1e9, docs: 'wall clocks are wrong by up to this, either way' },
  staggerMs: { default: 10, min: 0, max: 60_000, docs: 'time between the starts of two nodes' },
  profile: { default: 0, min: 0, max: PROFILES.length - 1, docs: `timings: ${choices(PROFILES)}` },
  sealed: { default: 0, min: 0, max: 1, docs: '1: packets and streams are sealed by a key' },
}

export type CommonContext = Context<CommonName>

function choices(names: readonly string[]): string {
  return names.map((name, number) => `${number}: ${name}`).join(', ')
}

const SEEDS = 3
const JOIN_TIMEOUT_MS = 120_000
/** After everyone knows everyone, until the last retransmissions of that news are over. */
const SETTLE_MS = 10_000
/** Beyond the longest quarantine. */
const CALM_TIMEOUT_MS = 600_000
/** Long enough for a sync of every two nodes that differ. */
const QUIET_MS = 45_000

export function networkOptions(set: Readonly<Record<CommonName, number>>): NetworkOptions {
  const { loss, duplication, reordering, reorderMs, corruption, streamBreaks } = set
  const { latencyMs, latencySigma, mtuBytes, bandwidthMbps, serviceMs } = set
  const topology = TOPOLOGIES[Math.round(set.topology)]!
  const links = { latencyMs, latencySigma, topology, mtuBytes, bandwidthMbps, serviceMs }
  return { loss, duplication, reordering, reorderMs, corruption, streamBreaks, ...links }
}

/** Options of every node: the profile, and the cluster's key if traffic is sealed. */
function commonOptions({ random, set }: CommonContext): NodeOptions {
  const profile = PROFILES[Math.round(set.profile)]!
  if (set.sealed < 0.5) return { profile }
  const key = new Uint8Array(32)
  random.fork('key').fill(key)
  return { profile, keys: [key] }
}

export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `node-${i + 1}`)
}

/** Starts one node of the scenario, its eyes open. */
export async function startNode(
  context: CommonContext,
  name: string,
  options: NodeOptions = {},
): Promise<void> {
  const { sim, observer, random, set } = context
  sim.world.host(name)
  if (set.clockSkewMs > 0) sim.setClock(name, Math.round((2 * random.float() - 1) * set.clockSkewMs))
  observer.watch(name, await sim.start(name, { ...commonOptions(context), ...options }))
}

/** Starts all nodes, one after another, and waits until everyone knows everyone and calm has returned. */
export async function startAll(context: CommonContext): Promise<string[]> {
  const { sim, set } = context
  const names = nodeNames(context.nodes)
  context.progress(`starting ${names.length} nodes`)
  const starts: Promise<void>[] = []
  let lastStart = sim.now
  for (const [i, name] of names.entries()) {
    const seeds = names.slice(0, Math.min(i, SEEDS)).map((seed) => sim.address(seed))
    lastStart = sim.now
    starts.push(startNode(context, name, { seeds }))
    if (set.staggerMs > 0) await sim.advance(set.staggerMs)
  }
  await Promise.all(starts)
  await joined(context, lastStart)
  context.progress('calm returns')
  await sim.advance(SETTLE_MS)
  return names
}

/** Waits until everyone knows everyone, and measures it from `sinceMs`. */
export async function joined(context: CommonContext, sinceMs: number): Promise<void> {
  context.progress('waiting until everyone knows everyone')
  const inTime = await reached(context, () => context.observer.agreed(), JOIN_TIMEOUT_MS)
  if (inTime) context.measured.joinMs = context.sim.now - sinceMs
  else
    context.measured.violations.push(`not everyone knew everyone ${JOIN_TIMEOUT_MS} ms after the last start`)
}

/** As `Simulation.until`, for what may not come true: says whether it did. */
export async function reached(
  context: CommonContext,
  predicate: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  try {
    await context.sim.until(predicate, timeoutMs)
    return true
  } catch (error) {
    if (predicate()) throw error
    return false
  }
}

/** From here on traffic counts, and false positives are looked for. */
export function beginMeasuring(context: CommonContext): void {
  context.measured.trafficFrom = {
    atMs: context.sim.now,
    total: totalTraffic(context),
    ranMs: totalRanMs(context),
  }
  context.measured.falsePositives = true
}

/** Lets time pass until the measured part has lasted as long as `--minutes` asks for, or `leastMs`. */
export async function fillMinutes(context: CommonContext, leastMs = 0): Promise<void> {
  const wanted = context.minutes === undefined ? leastMs : context.minutes * 60_000
  const begun = context.measured.trafficFrom?.atMs ?? 0
  const left = begun + wanted - context.sim.now
  if (left > 0) await context.sim.advance(left)
}

/** How long the measured part is to last: as `--minutes` says, or so long. */
export function durationOf(context: CommonContext, defaultMs: number): number {
  return context.minutes === undefined ? defaultMs : context.minutes * 60_000
}

/** Waits until everyone who runs knows everyone who runs and nobody else, and still does after some quiet. */
export async function calm(context: CommonContext, quietMs: number = QUIET_MS): Promise<void> {
  const { sim, observer, measured } = context
  const deadline = sim.now + CALM_TIMEOUT_MS
  do {
    context.progress('waiting until everyone knows the truth')
    if (!(await reached(context, () => observer.agreed(), deadline - sim.now))) {
      const sentence = `not everyone knew who runs and who does not ${CALM_TIMEOUT_MS} ms after the last fault`
      measured.violations.push(sentence)
    }
    context.progress('quiet')
    await sim.advance(quietMs)
    // A quarantine may still begin for what happened before.
  } while (!observer.agreed() && sim.now < deadline)
}

export function totalTraffic(context: Pick<Context, 'sim'>): Traffic {
  return context.sim.world.hosts.reduce((total, host) => total.add(host.traffic), new Traffic())
}

/** Node-milliseconds. */
export function totalRanMs(context: Pick<Context, 'sim'>): number {
  return context.sim.world.hosts.reduce((total, host) => total + host.ranMs, 0)
}
