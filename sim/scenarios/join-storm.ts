import type { Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonName,
  fillMinutes,
  joined,
  nodeNames,
  startNode,
} from './common.ts'

const QUIET_MS = 30_000

export const joinStorm: Scenario<CommonName> = {
  name: 'join-storm',
  docs: 'All nodes start in the same instant and know one seed; its traffic counts from that instant.',
  page:
    'The first node starts; a second later all others start in one instant and know only that one. ' +
    'Measured: the time until everyone knows everyone, and all traffic from that instant on, with 30 ' +
    's of quiet after it.',
  parameters: COMMON,
  async run(context) {
    const { sim } = context
    const [first, ...others] = nodeNames(context.nodes)
    await startNode(context, first!, { seeds: [] })
    await sim.advance(1000)
    beginMeasuring(context)
    const began = sim.now
    context.progress(`${others.length} nodes join`)
    await Promise.all(others.map((name) => startNode(context, name, { seeds: [sim.address(first!)] })))
    await joined(context, began)
    await fillMinutes(context, sim.now - began + QUIET_MS)
  },
}
