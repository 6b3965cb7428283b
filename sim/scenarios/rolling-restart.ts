import { compareEpochs } from '../../src/wire/epoch.ts'
import type { Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  calm,
  fillMinutes,
  reached,
  startAll,
  startNode,
} from './common.ts'
import { someSeeds } from './faults.ts'

type Name = CommonName | 'restarts' | 'graceful' | 'downMs' | 'gapMs'

const RETURN_TIMEOUT_MS = 120_000

export const rollingRestart: Scenario<Name> = {
  name: 'rolling-restart',
  docs: 'Nodes are restarted one after another, under their names: how soon everyone knows the new process.',
  page:
    'As in an upgrade: one node at a time leaves or is killed, stays down for a while and starts anew ' +
    'under its name and address. Measured: the time from its start until every other node takes the ' +
    'new process for alive. That the old process was declared failed is no false positive.',
  parameters: {
    ...COMMON,
    restarts: {
      default: 10,
      min: 1,
      max: 10_000,
      docs: 'restarts, each of another node while there are some',
    },
    graceful: {
      default: 1,
      min: 0,
      max: 1,
      docs: '1: the node says that it leaves; 0: its process is killed',
    },
    downMs: { default: 2000, min: 0, max: 3_600_000, docs: 'time between the end and the new start' },
    gapMs: { default: 3000, min: 0, max: 600_000, docs: 'time between a return and the next restart' },
  },
  lastsMs: ({ restarts, downMs, gapMs }) => restarts * (downMs + gapMs + 500) + 45_000,
  async run(context) {
    const { sim, observer, random, set } = context
    const names = await startAll(context)
    const order = random.sample(names, names.length)
    const back: number[] = []
    beginMeasuring(context)
    for (let i = 0; i < set.restarts; i++) {
      const node = order[i % order.length]!
      context.progress(`restart ${i + 1} of ${set.restarts}`)
      if (set.graceful >= 0.5) await leave(context, node)
      sim.kill(node)
      observer.crashed(node)
      await sim.advance(set.downMs)
      const started = sim.now
      await startNode(context, node, { seeds: someSeeds(context, node) })
      if (await reached(context, () => knownAgain(context, node), RETURN_TIMEOUT_MS))
        back.push(sim.now - started)
      else
        context.measured.violations.push(
          `${node} was not known again ${RETURN_TIMEOUT_MS} ms after its restart`,
        )
      await sim.advance(set.gapMs)
    }
    context.measured.convergenceMs = back
    await calm(context)
    await fillMinutes(context)
  },
}

async function leave(context: CommonContext, node: string): Promise<void> {
  let left = false
  void context.sim
    .cluster(node)
    .leave()
    .then(() => {
      left = true
    })
  await reached(context, () => left, RETURN_TIMEOUT_MS)
}

/** Whether everyone takes the process that runs now for alive. */
function knownAgain({ sim }: CommonContext, node: string): boolean {
  const { epoch } = sim.cluster(node).self
  return sim.nodes.every((other) => {
    const member = sim.cluster(other).member(node)
    return member?.status === 'alive' && compareEpochs(member.epoch, epoch) >= 0
  })
}
