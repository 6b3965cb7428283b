import { afterEach } from 'vitest'
import { Cluster, type ClusterOptions, generateKey, type HearsayWarning } from '../../src/index.ts'
import { until } from '../waiting.ts'

export { sleep, until } from '../waiting.ts'

/** Timings that let a test see a whole story in a second or two; the rules do not depend on them. */
export const FAST = {
  probeIntervalMs: 200,
  probeTimeoutMs: 100,
  indirectTimeoutMs: 150,
  verifyTimeoutMs: 150,
  gossipIntervalMs: 50,
  healIntervalMs: 300,
  isolationTimeoutMs: 1_000,
  reconnectGraceMs: 500,
  joinTimeoutMs: 2_000,
  syncTimeoutMs: 3_000,
} as const satisfies Partial<ClusterOptions>

const running = new Set<Cluster>()
const key = generateKey()

afterEach(async () => {
  await Promise.all([...running].map((node) => node.close()))
  running.clear()
})

/** A node on a free loopback port, closed after the test. Sealed with the suite's key unless told otherwise. */
export async function start(options: Partial<ClusterOptions> & { readonly name: string }): Promise<Cluster> {
  const defaults = options.insecure === true ? {} : { keys: [key] }
  const node = await Cluster.start({ bind: '127.0.0.1:0', ...FAST, ...defaults, ...options })
  running.add(node)
  return node
}

/** Nodes named `n0`, `n1` …, all of which know each other. */
export async function startCluster(size: number, options: Partial<ClusterOptions> = {}): Promise<Cluster[]> {
  const first = await start({ name: 'n0', ...options })
  const others = await Promise.all(
    Array.from({ length: size - 1 }, (_, i) =>
      start({ name: `n${i + 1}`, seeds: [first.self.address], ...options }),
    ),
  )
  const nodes = [first, ...others]
  await until(() => nodes.every((node) => alive(node).length === size))
  return nodes
}

export function alive(node: Cluster): string[] {
  const live = node.members().filter(({ status }) => status === 'alive')
  return live.map(({ name }) => name).sort()
}

export function statusOf(node: Cluster, name: string): string | undefined {
  return node.member(name)?.status
}

export function warningsOf(node: Cluster): HearsayWarning[] {
  const warnings: HearsayWarning[] = []
  node.on('warning', (warning) => warnings.push(warning))
  return warnings
}

/** Everything that a watch gives, as it comes. */
export function collect<T>(changes: AsyncIterable<T>): T[] {
  const collected: T[] = []
  void (async () => {
    for await (const change of changes) collected.push(change)
  })()
  return collected
}
