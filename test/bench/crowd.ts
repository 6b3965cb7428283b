import type { Cluster } from '../../src/index.ts'
import type { Stage } from './stages.ts'

const SEEDS_OF_A_CLUSTER = 3
const STAGGER_MS = 10
const JOIN_TIMEOUT_MS = 30_000

/** Nodes of one cluster, and who takes whom for what. */
export class Crowd {
  readonly #stage: Stage
  readonly #up = new Map<string, Set<string>>()
  readonly #failed = new Map<string, Map<string, number>>()
  readonly #left = new Map<string, Map<string, number>>()
  readonly #clusters = new Map<string, Cluster>()
  suspicions = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async start(name: string, seeds: readonly string[]): Promise<string> {
    const cluster = await this.#stage.start(name, seeds)
    const up = new Set<string>()
    const failed = new Map<string, number>()
    const left = new Map<string, number>()
    for (const member of cluster.members())
      if (member.name !== name && member.status === 'alive') up.add(member.name)
    cluster.on('member-up', (member) => up.add(member.name))
    cluster.on('member-suspect', () => this.suspicions++)
    cluster.on('member-failed', (member) => {
      up.delete(member.name)
      failed.set(member.name, this.#stage.now())
    })
    cluster.on('member-left', (member) => {
      up.delete(member.name)
      left.set(member.name, this.#stage.now())
    })
    this.#up.set(name, up)
    this.#failed.set(name, failed)
    this.#left.set(name, left)
    this.#clusters.set(name, cluster)
    return cluster.self.address
  }

  kill(name: string): void {
    this.#stage.kill(name)
    this.#forget(name)
  }

  /** Resolves when the node has left. */
  async leave(name: string): Promise<void> {
    const cluster = this.#clusters.get(name)
    this.#forget(name)
    await cluster?.leave()
  }

  #forget(name: string): void {
    this.#up.delete(name)
    this.#failed.delete(name)
    this.#left.delete(name)
    this.#clusters.delete(name)
  }

  agreed(nodes: number): boolean {
    return this.#up.size === nodes && [...this.#up.values()].every((up) => up.size === nodes - 1)
  }

  /** When each survivor held the node failed. */
  failuresOf(name: string): number[] {
    return [...this.#failed.values()].flatMap((failed) => failed.get(name) ?? [])
  }

  /** When each other node learnt that the node had left. */
  leavesOf(name: string): number[] {
    return [...this.#left.values()].flatMap((left) => left.get(name) ?? [])
  }

  packetsSent(): number {
    return [...this.#clusters.values()].reduce(
      (sum, cluster) => sum + cluster.metrics()['traffic.packetsOut']!,
      0,
    )
  }
}

/** Starts nodes one after another; how long after the last start everyone knew everyone, ms. */
export async function startAll(stage: Stage, crowd: Crowd, nodes: number): Promise<number> {
  const seeds: string[] = []
  const starts: Promise<string>[] = []
  let lastStart = stage.now()
  for (let i = 0; i < nodes; i++) {
    lastStart = stage.now()
    const starting = crowd.start(nodeName(i), [...seeds])
    starts.push(starting)
    if (seeds.length < SEEDS_OF_A_CLUSTER) seeds.push(await starting)
    await stage.sleep(STAGGER_MS)
  }
  await Promise.all(starts)
  await inTime(
    stage.until(() => crowd.agreed(nodes), JOIN_TIMEOUT_MS),
    'everyone knowing everyone',
  )
  return stage.now() - lastStart
}

export function nodeName(i: number): string {
  return `node-${i + 1}`
}

/** Lets all nodes but the first join at once, through that one; after how long everyone knew everyone, ms. */
export async function joinAll(stage: Stage, crowd: Crowd, nodes: number): Promise<number> {
  const seed = await crowd.start(nodeName(0), [])
  await stage.sleep(1000)
  const began = stage.now()
  await Promise.all(Array.from({ length: nodes - 1 }, (_, i) => crowd.start(nodeName(i + 1), [seed])))
  await inTime(
    stage.until(() => crowd.agreed(nodes), JOIN_TIMEOUT_MS),
    'everyone knowing everyone',
  )
  return stage.now() - began
}

/** Throws if what is awaited has not come about. */
export async function inTime(waiting: Promise<boolean>, what: string): Promise<void> {
  if (!(await waiting)) throw new Error(`${what} took too long`)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}
