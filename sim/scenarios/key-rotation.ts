import type { Scenario } from '../scenario.ts'
import { keyOf } from '../schedule.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, reached, startAll } from './common.ts'

type Name = CommonName | 'rotations' | 'spacingMs'

const ROTATION_TIMEOUT_MS = 120_000
/** Beyond the grace of retired keys, so that a packet under one would be noticed. */
const QUIET_MS = 40_000

export const keyRotation: Scenario<Name> = {
  name: 'key-rotation',
  docs: 'The key of the cluster is changed while it runs: how long until everyone holds the new one and no other.',
  page:
    'Random nodes rotate the key of the cluster, one after the other. Measured: for each rotation the ' +
    'time until every node holds the new key alone. No packet and no stream may be dropped for its key.',
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
  },
  async run(context) {
    const { sim, random, set, measured } = context
    const names = await startAll(context)
    const sum = (metric: string): number =>
      names.reduce((total, name) => total + (sim.cluster(name).metrics()[metric] ?? 0), 0)
    beginMeasuring(context)
    measured.convergenceMs = []
    for (let done = 1; done <= set.rotations; done++) {
      context.progress(`rotation ${done} of ${set.rotations}`)
      const began = sim.now
      const rotated = sim.cluster(random.pick(names)).rotateKey(keyOf(random.int(2 ** 32)))
      rotated.catch((error) => measured.violations.push(`rotation ${done}: ${error}`))
      const everyone = (): boolean =>
        names.every((name) => sim.cluster(name).metrics()['keys.rotations'] === done)
      if (!(await reached(context, everyone, ROTATION_TIMEOUT_MS))) {
        measured.violations.push(`rotation ${done} was not over after ${ROTATION_TIMEOUT_MS} ms`)
        return
      }
      measured.convergenceMs.push(sim.now - began)
      await sim.advance(set.spacingMs)
    }
    await sim.advance(QUIET_MS)
    for (const cause of ['unknown-key', 'stream-unknown-key']) {
      const dropped = sum(`dropped.${cause}`)
      if (dropped > 0) measured.violations.push(`${dropped} were dropped: ${cause}`)
    }
    await fillMinutes(context)
  },
}
