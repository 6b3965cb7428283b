import { parentPort } from 'node:worker_threads'
import { runSoak } from './soak-run.ts'
import { drawPlan } from './swarm.ts'

/** Runs one seed after another, as they come, and answers each with its result. */
const port = parentPort
if (port === null) throw new Error('this file is for worker threads')
port.on('message', (seed: number) => {
  runSoak(drawPlan(seed)).then(
    (result) => port.postMessage(result),
    (error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error })
    },
  )
})
