import { EventQueue, QueuedCallback } from './event-queue.ts'
import {
  anyText,
  type Check,
  type Fields,
  faultOfKind,
  flag,
  list,
  number,
  oneOf,
  optional,
  whole,
} from './fields.ts'
import type { Simulation } from './simulation.ts'

/**
 * One fault, and when it strikes: `at` is in virtual ms from the start of the schedule. Faults with `ms` end by themselves after so
 * long; without it they last until `heal`. Nodes are named, so that a schedule can be written to a file and read again.
 */
export type FaultStep = { readonly at: number } & (
  | StopStep
  | RestartStep
  | PauseStep
  | SlowStep
  | PartitionStep
  | OneWayStep
  | LossStep
  | ClockStep
  | RotateStep
  | HealStep
)

/** `crash`: the whole host falls silent. `kill`: its process dies, its kernel tells the peers. */
interface StopStep {
  readonly kind: 'crash' | 'kill'
  readonly node: string
}

/** The node starts anew, under the same name and at the same address; one that runs is killed first. */
interface RestartStep {
  readonly kind: 'restart'
  readonly node: string
}

/** The event loop stalls; with `wholeHost` the kernel does, too. */
interface PauseStep {
  readonly kind: 'pause'
  readonly node: string
  readonly ms: number
  readonly wholeHost?: boolean
}

/** For `ms` the event loop alternates: stalled for `blockedMs`, normal for `normalMs`. */
interface SlowStep {
  readonly kind: 'slow'
  readonly node: string
  readonly ms: number
  readonly blockedMs: number
  readonly normalMs: number
}

/** Separates the groups from each other; nodes in none of them reach everyone. */
interface PartitionStep {
  readonly kind: 'partition'
  readonly groups: readonly (readonly string[])[]
  readonly ms?: number
}

/** Nothing gets from the first nodes to the second. */
interface OneWayStep {
  readonly kind: 'one-way'
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly ms?: number
}

/** Probabilities with which a node's packets are lost on their way out and in. */
interface LossStep {
  readonly kind: 'loss'
  readonly node: string
  readonly egress?: number
  readonly ingress?: number
  readonly ms?: number
}

/** The wall clock jumps to so much ahead of the true time; the monotonic clock goes on. */
interface ClockStep {
  readonly kind: 'clock'
  readonly node: string
  readonly offsetMs: number
}

/** The node begins to rotate the keys of the cluster, to the one of this number. Where it runs without keys, nothing happens. */
interface RotateStep {
  readonly kind: 'rotate'
  readonly node: string
  readonly key: number
}

/** Ends every partition, block and loss. Clocks stay, and who is down stays down. */
interface HealStep {
  readonly kind: 'heal'
}

export type FaultSchedule = readonly FaultStep[]

/** What became of one step. Skipped are steps that cannot be: a crash of a node that is down, say. */
export interface AppliedStep {
  readonly atMs: number
  readonly step: FaultStep
  readonly outcome: 'applied' | 'skipped'
}

export interface ScheduleHooks {
  /** Starts a node that restarts. Default: `sim.start(name)`. */
  readonly start?: (name: string) => Promise<unknown>
  /** Told right after a node has stopped. */
  readonly stopped?: (name: string) => void
  /** Told of every step when its time has come. */
  readonly applied?: (applied: AppliedStep) => void
  /** Told of a start that failed; one that the schedule itself cut short is none. */
  readonly startFailed?: (name: string, error: unknown) => void
}

/** The key of a number. */
export function keyOf(number: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (number >>> (8 * (i % 4))) ^ i)
}

type StepOf<K extends FaultStep['kind']> = Extract<FaultStep, { kind: K }>

const MAX_MS = 30 * 24 * 3_600_000

/** Virtual ms, of a time or of a duration. */
export const time: Check = number(0, MAX_MS)

/**
 * Checks a schedule that comes from outside: known kinds, times and probabilities in bounds, and names among `nodes`, if given.
 * Throws one sentence that names the step.
 */
export function parseSchedule(json: unknown, nodes?: readonly string[]): FaultSchedule {
  if (!Array.isArray(json)) throw new Error('a fault schedule is an array of steps')
  const kinds = kindsOf(nodes === undefined ? anyText : oneOf(nodes))
  return json.map((step: unknown, index) => {
    const fault = faultOfKind(step, kinds, { at: time })
    if (fault !== undefined) throw new Error(`step ${index} of the fault schedule ${fault}`)
    return step as FaultStep
  })
}

/** Applies each step at its time, from now on. Resolves when all of them are over, with what became of each. */
export async function runSchedule(
  sim: Simulation,
  schedule: FaultSchedule,
  hooks: ScheduleHooks = {},
): Promise<AppliedStep[]> {
  return new ScheduleRun(sim, hooks).run(schedule)
}

/** Carries one schedule out. */
class ScheduleRun {
  readonly #sim: Simulation
  readonly #hooks: ScheduleHooks
  readonly #applied: AppliedStep[] = []
  /** What is still to be done, by time; at equal times, by the order in which it was planned. */
  readonly #plan = new EventQueue()
  readonly #starts = new Map<string, Promise<void>>()
  /** Which step set a node's loss last: only that one may end it. */
  readonly #losses = new Map<string, FaultStep>()

  constructor(sim: Simulation, hooks: ScheduleHooks) {
    this.#sim = sim
    this.#hooks = hooks
  }

  async run(schedule: FaultSchedule): Promise<AppliedStep[]> {
    const begun = this.#sim.now
    for (const step of schedule) this.#at(begun + step.at, () => this.#strike(step))
    for (let at = this.#plan.nextTime(); at < Number.POSITIVE_INFINITY; at = this.#plan.nextTime()) {
      const wait = at - this.#sim.now
      if (wait > 0) await this.#sim.advance(wait)
      this.#plan.popDue(at)?.fire()
    }
    await Promise.all(this.#starts.values())
    return this.#applied
  }

  #at(at: number, act: () => void): void {
    this.#plan.push(at, new QueuedCallback(act))
  }

  #strike(step: FaultStep): void {
    const applied = { atMs: this.#sim.now, step, outcome: this.#apply(step) ? 'applied' : 'skipped' } as const
    this.#applied.push(applied)
    this.#hooks.applied?.(applied)
  }

  #apply(step: FaultStep): boolean {
    switch (step.kind) {
      case 'crash':
      case 'kill':
        return this.#stop(step.node, step.kind)
      case 'restart':
        return this.#restart(step.node)
      case 'pause':
        return this.#pause(step.node, step.ms, step.wholeHost ?? false)
      case 'slow':
        return this.#slow(step, this.#sim.now + step.ms)
      case 'partition':
        this.#endAfter(step.ms, this.#sim.partition(...step.groups.map((group) => this.#known(group))))
        return true
      case 'one-way':
        this.#endAfter(step.ms, this.#sim.blockOneWay(this.#known(step.from), this.#known(step.to)))
        return true
      case 'loss':
        return this.#lose(step)
      case 'clock':
        if (!this.#isKnown(step.node)) return false
        this.#sim.setClock(step.node, step.offsetMs)
        return true
      case 'rotate':
        return this.#rotate(step.node, keyOf(step.key))
      case 'heal':
        this.#sim.heal()
        for (const node of this.#losses.keys()) this.#sim.setLoss(node, {})
        this.#losses.clear()
        return true
    }
  }

  #stop(node: string, kind: 'crash' | 'kill'): boolean {
    if (this.#process(node) === undefined) return false
    this.#starts.delete(node)
    this.#sim[kind](node)
    this.#hooks.stopped?.(node)
    return true
  }

  #restart(node: string): boolean {
    if (!this.#isKnown(node)) return false
    this.#stop(node, 'kill')
    const start = this.#hooks.start ?? ((name) => this.#sim.start(name))
    const starting: Promise<void> = start(node).then(
      () => {},
      (error: unknown) => {
        // A later step may have cut this start short.
        if (this.#starts.get(node) === starting) this.#hooks.startFailed?.(node, error)
      },
    )
    this.#starts.set(node, starting)
    return true
  }

  #pause(node: string, ms: number, wholeHost: boolean): boolean {
    if (this.#process(node) === undefined) return false
    this.#sim.pause(node, ms, { wholeHost })
    return true
  }

  /** Blocks the process that runs now, again and again. */
  #slow(step: StepOf<'slow'>, until: number): boolean {
    const { node, blockedMs, normalMs } = step
    const process = this.#process(node)
    const left = until - this.#sim.now
    if (process === undefined || left <= 0) return process !== undefined
    this.#sim.pause(node, Math.min(blockedMs, left))
    this.#at(this.#sim.now + blockedMs + normalMs, () => {
      if (this.#process(node) === process) this.#slow(step, until)
    })
    return true
  }

  #lose(step: StepOf<'loss'>): boolean {
    const { node, egress, ingress } = step
    if (!this.#isKnown(node)) return false
    this.#sim.setLoss(node, {
      ...(egress !== undefined && { egress }),
      ...(ingress !== undefined && { ingress }),
    })
    this.#losses.set(node, step)
    this.#endAfter(step.ms, () => {
      if (this.#losses.get(node) !== step) return
      this.#losses.delete(node)
      this.#sim.setLoss(node, {})
    })
    return true
  }

  /** Who begins does not wait: it may be killed, and others go on. */
  #rotate(node: string, key: Uint8Array): boolean {
    if (!this.#sim.nodes.includes(node)) return false
    this.#sim
      .cluster(node)
      .rotateKey(key)
      .catch(() => {})
    return true
  }

  #endAfter(ms: number | undefined, end: () => void): void {
    if (ms !== undefined) this.#at(this.#sim.now + ms, end)
  }

  #process(node: string): unknown {
    return this.#sim.world.knownHost(node)?.process
  }

  #isKnown(node: string): boolean {
    return this.#sim.world.knownHost(node) !== undefined
  }

  #known(nodes: readonly string[]): string[] {
    return nodes.filter((node) => this.#isKnown(node))
  }
}

const MAX_OFFSET_MS = 1e12
const MAX_KEY = 0xffff_ffff

/** The fields of each kind, where `node` is the name of one. */
function kindsOf(node: Check): Readonly<Record<FaultStep['kind'], Fields>> {
  const group = list(node)
  const share = optional(number(0, 1))
  return {
    crash: { node },
    kill: { node },
    restart: { node },
    pause: { node, ms: time, wholeHost: optional(flag) },
    slow: { node, ms: time, blockedMs: number(Number.MIN_VALUE, MAX_MS), normalMs: time },
    partition: { groups: list(group), ms: optional(time) },
    'one-way': { from: group, to: group, ms: optional(time) },
    loss: { node, egress: share, ingress: share, ms: optional(time) },
    clock: { node, offsetMs: number(-MAX_OFFSET_MS, MAX_OFFSET_MS) },
    rotate: { node, key: whole(0, MAX_KEY) },
    heal: {},
  }
}
