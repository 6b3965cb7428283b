import type { SoakPlan } from '../../sim/soak/plan.ts'
import { drawPlan } from '../../sim/soak/swarm.ts'

/** A small plan in which nothing happens but what a test adds. */
export function calm(changes: Partial<SoakPlan>): SoakPlan {
  const nodes = ['n1', 'n2', 'n3', 'n4']
  return {
    ...drawPlan(1),
    nodes,
    networks: ['blue'],
    network: {
      loss: 0,
      duplication: 0,
      reordering: 0,
      corruption: 0,
      latencyMs: 1,
      latencySigma: 0.5,
      serviceMs: 0.05,
      regions: 1,
      regionMs: 0,
      streamBreaks: 0,
    },
    options: {
      profile: 'lan',
      withdrawAfterMs: 0,
      inheritMs: 10_000,
      packetBytes: 1_400,
      indirectProbes: 3,
    },
    sealed: false,
    declares: true,
    staggerMs: 0,
    safetyMs: 20_000,
    faults: [],
    operations: [],
    core: nodes,
    cut: [],
    ...changes,
  }
}
