import type { Profile } from '../../src/options.ts'
import { Random } from '../random.ts'
import type { FaultStep } from '../schedule.ts'
import type { Operation, SoakNetwork, SoakOptions, SoakPlan } from './plan.ts'

const NETWORKS = ['blue', 'green', 'red']
const CONTESTED_KEYS = 5
const OWN_KEYS = 6

/** Draws one plan. Swarm testing: each run has some kinds of faults and operations only, at rates of its own. */
export function drawPlan(seed: number): SoakPlan {
  const random = new Random(seed).fork('swarm')
  const shape = random.fork('shape')
  const calm = shape.chance(1 / 12)
  const nodes = drawNodes(shape)
  const networks = NETWORKS.slice(0, 1 + shape.int(NETWORKS.length))
  const sealed = shape.chance(0.3)
  const options = drawOptions(random.fork('options'))
  const safetyMs = 20_000 + shape.int(100_000) * (options.profile === 'wan' ? 3 : 1)
  const coreSize = nodes.length < 3 ? nodes.length : 2 + shape.int(nodes.length - 1)
  const core = shape.sample(nodes, coreSize)
  const rest = nodes.filter((node) => !core.includes(node))
  const drawn = { nodes, networks, safetyMs }
  return {
    seed,
    ...drawn,
    network: drawNetwork(random.fork('network'), calm),
    options,
    sealed,
    declares: shape.chance(0.5),
    staggerMs: shape.pick([0, 10, 500]),
    faults: calm ? [] : drawFaults(random, drawn, sealed),
    operations: drawOperations(random.fork('operations'), drawn, calm),
    core: core.sort(byIndex(nodes)),
    cut: rest.filter(() => shape.chance(0.5)),
  }
}

interface Drawn {
  readonly nodes: readonly string[]
  readonly networks: readonly string[]
  readonly safetyMs: number
}

function byIndex(nodes: readonly string[]): (one: string, other: string) => number {
  return (one, other) => nodes.indexOf(one) - nodes.indexOf(other)
}

/** Mostly few: hard states are reached sooner, and runs are short. */
function drawNodes(random: Random): string[] {
  const count = random.chance(0.15) ? 13 + random.int(28) : 2 + random.int(11)
  return Array.from({ length: count }, (_, i) => `n${i + 1}`)
}

function drawNetwork(random: Random, calm: boolean): SoakNetwork {
  const sometimes = (probability: number, most: number): number =>
    !random.chance(probability) || calm ? 0 : Math.round(random.float() * most * 1000) / 1000
  return {
    loss: sometimes(0.5, 0.25),
    duplication: sometimes(0.5, 0.3),
    reordering: sometimes(0.3, 0.3),
    corruption: sometimes(0.2, 0.02),
    latencyMs: random.pick([0.2, 0.8, 0.8, 5, 20]),
    latencySigma: random.pick([0, 0.5, 1]),
    serviceMs: random.pick([0.01, 0.05, 0.5]),
    regions: random.pick([1, 1, 1, 2, 3]),
    regionMs: random.pick([10, 40]),
    streamBreaks: sometimes(0.25, 0.3),
  }
}

function drawOptions(random: Random): SoakOptions {
  const profile: Profile = random.pick(['lan', 'lan', 'lan', 'local', 'wan'])
  return {
    profile,
    withdrawAfterMs: random.pick([0, 0, 5_000]),
    inheritMs: random.pick([10_000, 10_000, 2_000, 0]),
    packetBytes: random.pick([1_400, 1_400, 1_180]),
    indirectProbes: random.pick([3, 3, 1, 0]),
  }
}

const NUMBERS = 1_000_000

function drawFaults(random: Random, drawn: Drawn, sealed: boolean): FaultStep[] {
  const faults = new Faults(random.fork('faults'), drawn).draw()
  const rotations = sealed ? drawRotations(random.fork('rotations'), drawn) : []
  return [...faults, ...rotations].sort((one, other) => one.at - other.at)
}

/** Some begin at nearly the same time, some at the same node, some with the same key. */
function drawRotations(random: Random, { nodes, safetyMs }: Drawn): FaultStep[] {
  if (random.chance(0.3)) return []
  const base = random.int(NUMBERS)
  const together = random.chance(0.3) ? random.int(safetyMs) : undefined
  return Array.from({ length: 1 + random.int(3) }, () => ({
    at: together === undefined ? random.int(safetyMs) : Math.min(safetyMs, together + random.int(500)),
    kind: 'rotate',
    node: random.pick(nodes),
    key: base + random.int(3),
  }))
}

type FaultKind = Exclude<FaultStep['kind'], 'heal' | 'crash' | 'kill' | 'rotate'> | 'stop'
type StepKind = FaultStep['kind']
type Body<K extends StepKind> = Omit<Extract<FaultStep, { kind: K }>, 'at' | 'kind'>

/** Draws the faults of one run. */
class Faults {
  readonly #random: Random
  readonly #drawn: Drawn
  readonly #steps: FaultStep[] = []

  constructor(random: Random, drawn: Drawn) {
    this.#random = random
    this.#drawn = drawn
  }

  draw(): FaultStep[] {
    const kinds: FaultKind[] = ['stop', 'restart', 'pause', 'slow', 'partition', 'one-way', 'loss', 'clock']
    const enabled = this.#random.sample(kinds, 1 + this.#random.int(kinds.length))
    const count = 1 + this.#random.int(4 + Math.floor(this.#drawn.safetyMs / 6_000))
    for (let i = 0; i < count; i++) this.#add(this.#random.pick(enabled))
    if (this.#random.chance(0.3)) this.#step(this.#time(), 'heal', {})
    return this.#steps.sort((one, other) => one.at - other.at)
  }

  #add(kind: FaultKind): void {
    const random = this.#random
    const at = this.#time()
    const left = this.#drawn.safetyMs - at
    const node = random.pick(this.#drawn.nodes)
    switch (kind) {
      case 'stop':
        this.#step(at, random.pick(['crash', 'kill'] as const), { node })
        if (random.chance(0.7)) this.#step(at + this.#span(left), 'restart', { node })
        return
      case 'restart':
        this.#step(at, 'restart', { node })
        return
      case 'pause':
        this.#step(at, 'pause', { node, ms: this.#span(left), wholeHost: random.chance(0.3) })
        return
      case 'slow':
        this.#step(at, 'slow', {
          node,
          ms: this.#span(left),
          blockedMs: 50 + random.int(5_000),
          normalMs: 1 + random.int(1_000),
        })
        return
      case 'partition':
        this.#step(at, 'partition', { groups: this.#groups(), ...this.#maybeEnding(left) })
        return
      case 'one-way': {
        const [from, to] = [this.#some(), this.#some()]
        this.#step(at, 'one-way', { from, to, ...this.#maybeEnding(left) })
        return
      }
      case 'loss':
        this.#step(at, 'loss', {
          node,
          ...(random.chance(0.7) && { egress: this.#share() }),
          ...(random.chance(0.7) && { ingress: this.#share() }),
          ...this.#maybeEnding(left),
        })
        return
      case 'clock':
        this.#step(at, 'clock', { node, offsetMs: Math.round((random.float() - 0.5) * 240_000) })
        return
    }
  }

  #step<K extends StepKind>(at: number, kind: K, body: Body<K>): void {
    this.#steps.push({ at, kind, ...body } as unknown as FaultStep)
  }

  #time(): number {
    return this.#random.int(this.#drawn.safetyMs)
  }

  /** Mostly short, sometimes up to all the time that is left. */
  #span(left: number): number {
    const most = this.#random.pick([300, 3_000, 10_000, 60_000])
    return 1 + this.#random.int(Math.max(1, Math.min(most, left)))
  }

  #maybeEnding(left: number): { ms?: number } {
    return this.#random.chance(0.7) ? { ms: this.#span(left) } : {}
  }

  #share(): number {
    return this.#random.pick([0.2, 0.5, 0.8, 1])
  }

  #some(): string[] {
    const { nodes } = this.#drawn
    return this.#random.sample(nodes, 1 + this.#random.int(nodes.length))
  }

  /** Two to four groups; sometimes some nodes are in none and reach all, sometimes one node stands alone. */
  #groups(): string[][] {
    const random = this.#random
    const { nodes } = this.#drawn
    if (random.chance(0.3)) {
      const lonely = random.pick(nodes)
      return [[lonely], nodes.filter((node) => node !== lonely)]
    }
    const groups: string[][] = Array.from({ length: 2 + random.int(3) }, () => [])
    const partial = random.chance(0.3)
    for (const node of nodes) if (!(partial && random.chance(0.3))) random.pick(groups).push(node)
    return groups
  }
}

type OperationKind =
  | 'set'
  | 'contest'
  | 'delete'
  | 'replace-own'
  | 'watch'
  | 'metadata'
  | 'join'
  | 'part'
  | 'leave'

/** How often each kind is drawn, where it is enabled. */
const WEIGHTS: Readonly<Record<OperationKind, number>> = {
  set: 30,
  contest: 15,
  delete: 15,
  'replace-own': 4,
  watch: 4,
  metadata: 2,
  join: 3,
  part: 2,
  leave: 1,
}

function drawOperations(random: Random, { nodes, networks, safetyMs }: Drawn, calm: boolean): Operation[] {
  const operations: Operation[] = []
  for (const node of nodes) {
    for (const network of networks) {
      if (!random.chance(0.85)) continue
      const at = random.chance(0.8) ? 0 : random.int(safetyMs)
      operations.push({ at, node, kind: 'join', network })
      if (random.chance(0.7)) operations.push({ at: at + 1, node, kind: 'watch', network, slow: false })
    }
  }
  const enabled = (Object.keys(WEIGHTS) as OperationKind[]).filter(
    (kind) => kind === 'set' || (random.chance(0.75) && !(calm && kind === 'leave')),
  )
  const lots = enabled.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind))
  const count = random.int(random.pick([20, 200, 200, 800]))
  const burst = random.chance(0.2) ? random.int(safetyMs) : undefined
  for (let i = 0; i < count; i++) {
    const at = burst === undefined ? random.int(safetyMs) : Math.min(safetyMs, burst + random.int(500))
    const node = random.pick(nodes)
    const network = random.pick(networks)
    const own = `${node}/${random.int(OWN_KEYS)}`
    const contested = `ip/${random.int(CONTESTED_KEYS)}`
    const kind = random.pick(lots)
    switch (kind) {
      case 'set':
        operations.push({ at, node, kind, network, key: own, value: 0 })
        break
      case 'contest':
        operations.push({ at, node, kind: 'set', network, key: contested, value: 0 })
        break
      case 'delete':
        operations.push({ at, node, kind, network, key: random.chance(0.5) ? own : contested })
        break
      case 'replace-own': {
        const keys = Array.from({ length: OWN_KEYS }, (_, key) => `${node}/${key}`)
        const entries = random.sample(keys, random.int(OWN_KEYS)).map((key) => [key, 0] as const)
        operations.push({ at, node, kind, network, entries })
        break
      }
      case 'watch':
        operations.push({ at, node, kind, network, slow: random.chance(0.5) })
        break
      case 'metadata':
        operations.push({ at, node, kind, value: 0 })
        break
      case 'leave':
        operations.push({ at, node, kind })
        break
      default:
        operations.push({ at, node, kind, network })
    }
  }
  if (random.chance(0.15)) {
    for (let i = 1 + random.int(2); i > 0; i--) {
      const [node, network] = [random.pick(nodes), random.pick(networks)]
      operations.push({ at: random.int(safetyMs), node, kind: 'churn', network, count: 1_100, value: 0 })
    }
  }
  return numbered(operations.sort((one, other) => one.at - other.at))
}

/** The same operations with values that rise in time, so that a value that goes back can be told. */
function numbered(operations: readonly Operation[]): Operation[] {
  let value = 0
  return operations.map((operation) => {
    if (operation.kind !== 'replace-own')
      return 'value' in operation ? { ...operation, value: ++value } : operation
    return { ...operation, entries: operation.entries.map(([key]) => [key, ++value] as const) }
  })
}
