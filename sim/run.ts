import { loadSodium } from '../src/security/sodium.ts'
import { Invariants } from './invariants.ts'
import { distribution } from './measure.ts'
import { Observer } from './observer.ts'
import type { Report, TrafficRates } from './report-json.ts'
import { type Context, type Measured, resolveParameters } from './scenario.ts'
import { type CommonName, networkOptions, totalRanMs, totalTraffic } from './scenarios/common.ts'
import type { AnyScenario } from './scenarios/index.ts'
import { Simulation } from './simulation.ts'
import type { Traffic } from './traffic.ts'

export interface RunOptions {
  readonly scenario: AnyScenario
  readonly nodes: number
  readonly seed: number
  readonly minutes?: number
  readonly set?: Readonly<Record<string, number>>
  /** To be told of every step of the story. */
  readonly progress?: (text: string, sim: Simulation) => void
  /** To be shown the run before it begins. It may listen and look; what it does must not touch the simulation. */
  readonly begun?: (context: Context<CommonName>) => void
}

/** Everything of a report that depends on the arguments alone. */
export type Outcome = Omit<Report, 'wallMs' | 'speedup' | 'peakRssMb' | 'steps'>

/** Tells one scenario to one simulated cluster. The same options give the same outcome. */
export async function runScenario(options: RunOptions): Promise<Outcome> {
  const { scenario, nodes, seed, minutes, progress } = options
  const set = resolveParameters(scenario, options.set ?? {})
  // Loading takes real time, which must not pass while nodes start.
  if (set.sealed >= 0.5) await loadSodium()
  const sim = new Simulation({ seed, network: networkOptions(set) })
  const observer = new Observer(sim, nodes)
  const measured: Measured = { violations: [] }
  const context: Context<CommonName> = {
    sim,
    observer,
    nodes,
    minutes,
    random: sim.world.random.fork('workload'),
    set,
    progress: (text) => progress?.(text, sim),
    measured,
    networks: [],
  }
  const invariants = new Invariants(sim, { observer, networks: context.networks })
  invariants.begin()
  options.begun?.(context)
  await scenario.run(context)
  progress?.('checking invariants', sim)
  const { checked, violations } = invariants.finish()
  const { firstMs, everyoneMs } = observer.detections()
  return {
    scenario: scenario.name,
    nodes,
    seed,
    parameters: set,
    virtualMs: sim.now,
    events: sim.world.events,
    traceHash: sim.traceHash,
    traffic: traffic(context),
    trafficAfterCrash: trafficAfterCrash(measured),
    join: { everyoneMs: measured.joinMs ?? null },
    detection: {
      crashes: observer.crashCount,
      firstMs: distribution(firstMs),
      everyoneMs: distribution(everyoneMs),
      pairsMs: distribution(observer.pairsMs),
      eachFirstMs: firstMs,
      eachEveryoneMs: everyoneMs,
    },
    falsePositives: measured.falsePositives
      ? {
          healthy: observer.falseHealthy,
          anomalous: observer.falseAnomalous,
          episodes: observer.falseEpisodes,
          suspicions: observer.suspicions,
        }
      : null,
    impaired: measured.impaired ?? null,
    rotation: measured.rotation ?? null,
    convergence: { everyoneMs: distribution(measured.convergenceMs ?? []) },
    warnings: Object.fromEntries(observer.warnings),
    invariants: { checked, violations: [...measured.violations, ...violations] },
  }
}

function traffic({ sim, measured }: Context): Report['traffic'] {
  if (measured.trafficFrom === undefined || sim.now === measured.trafficFrom.atMs) return null
  const sent = totalTraffic({ sim }).add(measured.trafficFrom.total, -1)
  const ranMs = totalRanMs({ sim }) - measured.trafficFrom.ranMs
  return { ...rates(sent, ranMs), packetsOverflowed: sent.packetsOverflowed }
}

function trafficAfterCrash({ afterCrash }: Measured): Report['trafficAfterCrash'] {
  if (afterCrash === undefined || afterCrash.ranMs === 0) return null
  return { windowMs: afterCrash.windowMs, ...rates(afterCrash.sent, afterCrash.ranMs) }
}

function rates(sent: Traffic, ranMs: number): TrafficRates {
  const nodeSeconds = ranMs / 1000
  return {
    packetsPerNodePerSecond: sent.packetsSent / nodeSeconds,
    bytesPerNodePerSecond: sent.bytesSent / nodeSeconds,
    streamBytesPerNodePerSecond: sent.streamBytesSent / nodeSeconds,
    streamsPerNodePerSecond: sent.streamsOpened / nodeSeconds,
  }
}
