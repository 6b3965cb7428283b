import { exit } from 'node:process'
import { Cluster, type ClusterOptions, type Metrics } from '../../src/index.ts'

/** What a node in a process of its own, to which nothing else is charged, has to say. */
export interface VictimReport {
  readonly address: string
  readonly cpuMs: number
  readonly atMs: number
  readonly metrics: Metrics
}

/** Started with the options of its node, told by a first message; every further one asks for a report. */
process.once('message', async (options: ClusterOptions & { readonly keys: string[] }) => {
  const cluster = await Cluster.start(options)
  const report = (): void => {
    const { user, system } = process.cpuUsage()
    const cpuMs = (user + system) / 1_000
    const { address } = cluster.self
    process.send!({
      address,
      cpuMs,
      atMs: performance.now(),
      metrics: cluster.metrics(),
    } satisfies VictimReport)
  }
  process.on('message', report)
  process.on('disconnect', () => exit())
  report()
})
