import type { Cluster } from '../src/cluster.ts'
import type { MemberSnapshot, MemberStatus } from '../src/events.ts'
import { compareEpochs, type EpochId } from '../src/wire/epoch.ts'
import type { Simulation } from './simulation.ts'

/** What one node thinks of another, as a small number. */
export const VIEW = { unknown: 0, alive: 1, suspect: 2, failed: 3, left: 4 } as const

const UNKNOWN = VIEW.unknown
const ALIVE = VIEW.alive
const SUSPECT = VIEW.suspect
const FAILED = VIEW.failed
const LEFT = VIEW.left
const CODE: Readonly<Record<MemberStatus, number>> = {
  alive: ALIVE,
  suspect: SUSPECT,
  failed: FAILED,
  left: LEFT,
}
const STATUS: readonly (MemberStatus | undefined)[] = [undefined, 'alive', 'suspect', 'failed', 'left']

/** One crash, and who has found out. */
interface Crash {
  readonly subject: number
  readonly atMs: number
  firstMs: number | undefined
  everyoneMs: number | undefined
  readonly unaware: Set<number>
  /** The node runs again: who has not noticed need not any more. */
  over: boolean
}

/** Is told of what an observer learns, as it learns it. Nodes are numbered by their hosts; must not touch the simulation. */
export interface ObserverListener {
  /** A view of `VIEW` has changed. */
  onView(observer: number, subject: number, before: number, after: number): void
  /** A survivor knows of a crash, so long after it. */
  onNoticed(observer: number, subject: number, elapsedMs: number): void
}

/**
 * Hears every node's membership events, and knows from them who thinks what of whom, how long crashes went unnoticed, and who was
 * wrongly declared failed. Nodes are numbered by their hosts.
 */
export class Observer {
  /** Wrong verdicts `failed` between nodes with which nothing was the matter; one for each observer. */
  falseHealthy = 0
  /** The same where the observer or the subject was impaired by the scenario. */
  falseAnomalous = 0
  /** Verdicts `suspect` on nodes that ran. */
  suspicions = 0
  readonly warnings: Map<string, number> = new Map()
  readonly listeners: ObserverListener[] = []
  readonly #sim: Simulation
  readonly #capacity: number
  /** What `observer` thinks of `subject`, at observer * capacity + subject. */
  readonly #views: Uint8Array
  readonly #running = new Set<number>()
  readonly #impaired = new Set<number>()
  readonly #crashes: Crash[] = []
  readonly #pairsMs: number[] = []
  /** The epoch of each node's last start. */
  readonly #lives = new Map<number, EpochId>()
  readonly #episodes = new Set<string>()
  #up = 0
  #excused: (observer: string, subject: string) => boolean = () => false

  constructor(sim: Simulation, capacity: number) {
    this.#sim = sim
    this.#capacity = capacity
    this.#views = new Uint8Array(capacity * capacity)
  }

  /** Begins to listen to a node that has started. */
  watch(name: string, cluster: Cluster): void {
    const observer = this.#index(name)
    this.#running.add(observer)
    this.#lives.set(observer, cluster.self.epoch)
    for (const crash of this.#crashes) if (crash.subject === observer) crash.over = true
    this.#forget(observer)
    for (const member of cluster.members()) this.#see(observer, member)
    const see = (member: MemberSnapshot): void => this.#see(observer, member)
    cluster.on('member-up', see)
    cluster.on('member-suspect', (member) => {
      this.#suspected(observer, this.#index(member.name))
      see(member)
    })
    cluster.on('member-left', see)
    cluster.on('member-failed', (member) => {
      this.#judged(observer, this.#index(member.name), member)
      see(member)
    })
    cluster.on('warning', ({ code }) => {
      this.warnings.set(code, (this.warnings.get(code) ?? 0) + 1)
    })
  }

  /** Whether every node that runs takes every other for a member that is not failed, and nobody else. */
  agreed(): boolean {
    const running = this.#running.size
    if (this.#up !== running * (running - 1)) return false
    for (const observer of this.#running) if (!this.#agreedAt(observer)) return false
    return true
  }

  /** Whether a node takes exactly these for members that are not failed. */
  sees(observer: string, names: readonly string[]): boolean {
    const at = this.#index(observer) * this.#capacity
    const seen = names.filter((name) => name !== observer && isUp(this.#views[at + this.#index(name)]!))
    return seen.length === names.filter((name) => name !== observer).length && this.#upAt(at) === seen.length
  }

  /** What the events of a node said last about another. */
  view(observer: string, subject: string): MemberStatus | undefined {
    return STATUS[this.#views[this.#index(observer) * this.#capacity + this.#index(subject)]!]
  }

  /** To be told when a node crashes, before anything else happens. */
  crashed(name: string): void {
    const subject = this.#index(name)
    this.#running.delete(subject)
    for (const crash of this.#crashes) this.#noticed(crash, subject)
    for (let i = 0; i < this.#capacity; i++) this.#set(subject, i, UNKNOWN)
    const unaware = [...this.#running].filter((o) => isUp(this.#views[o * this.#capacity + subject]!))
    if (unaware.length === 0) return
    this.#crashes.push({
      subject,
      atMs: this.#sim.now,
      firstMs: undefined,
      everyoneMs: undefined,
      unaware: new Set(unaware),
      over: false,
    })
  }

  /** Whether every survivor knows of every crash. */
  allNoticed(): boolean {
    return this.#crashes.every((crash) => crash.over || crash.everyoneMs !== undefined)
  }

  /** From each crash to the first survivor who knew, and to the last; crashes not noticed yet are left out. */
  detections(): { firstMs: number[]; everyoneMs: number[] } {
    const defined = (times: (number | undefined)[]): number[] => times.filter((time) => time !== undefined)
    return {
      firstMs: defined(this.#crashes.map((crash) => crash.firstMs)),
      everyoneMs: defined(this.#crashes.map((crash) => crash.everyoneMs)),
    }
  }

  /** From each crash to each survivor who has noticed it, in the order in which they did. */
  get pairsMs(): readonly number[] {
    return this.#pairsMs
  }

  /** Nodes that run and are listened to, by number. */
  get running(): ReadonlySet<number> {
    return this.#running
  }

  /** How often a node that ran was wrongly declared failed, however many observers there were. */
  get falseEpisodes(): number {
    return this.#episodes.size
  }

  get crashCount(): number {
    return this.#crashes.length
  }

  /** Wrong verdicts by or about this node count as anomalous from now on. */
  impair(name: string): void {
    this.#impaired.add(this.#index(name))
  }

  /** Verdicts for which this holds are no false positives: the two cannot reach each other. */
  excuse(excused: (observer: string, subject: string) => boolean): void {
    this.#excused = excused
  }

  #suspected(observer: number, subject: number): void {
    if (this.#running.has(subject) && !this.#isExcused(observer, subject)) this.suspicions++
  }

  #isExcused(observer: number, subject: number): boolean {
    const { hosts } = this.#sim.world
    return this.#excused(hosts[observer]!.name, hosts[subject]!.name)
  }

  #judged(observer: number, subject: number, { epoch, incarnation }: MemberSnapshot): void {
    const life = this.#lives.get(subject)
    // Of one that runs again, what is told of its former life is true.
    const former = life !== undefined && compareEpochs(epoch, life) < 0
    if (former || !this.#running.has(subject)) {
      const crash = this.#crashes.findLast((candidate) => candidate.subject === subject)
      if (crash !== undefined && !crash.over) this.#noticed(crash, observer)
      return
    }
    if (this.#isExcused(observer, subject)) return
    this.#episodes.add(`${subject} ${epoch.time} ${epoch.nonce} ${incarnation}`)
    if (this.#impaired.has(observer) || this.#impaired.has(subject)) this.falseAnomalous++
    else this.falseHealthy++
  }

  /** A survivor knows of the crash, or is none any more. */
  #noticed(crash: Crash, observer: number): void {
    if (!crash.unaware.delete(observer)) return
    const elapsed = this.#sim.now - crash.atMs
    if (this.#running.has(observer)) {
      crash.firstMs ??= elapsed
      this.#pairsMs.push(elapsed)
      for (const listener of this.listeners) listener.onNoticed(observer, crash.subject, elapsed)
    }
    if (crash.unaware.size === 0) crash.everyoneMs = elapsed
  }

  /** A survivor takes one that crashed for alive, be it again: a late refutation can do that. */
  #unaware(observer: number, subject: number, { epoch }: MemberSnapshot): void {
    const crash = this.#crashes.findLast((candidate) => candidate.subject === subject)
    const life = this.#lives.get(subject)
    if (crash === undefined || crash.over || life === undefined || compareEpochs(epoch, life) > 0) return
    crash.unaware.add(observer)
    crash.everyoneMs = undefined
  }

  #see(observer: number, member: MemberSnapshot): void {
    const subject = this.#index(member.name)
    if (subject === observer || !this.#running.has(observer)) return
    const view = CODE[member.status]
    if (isUp(view) && !this.#running.has(subject)) this.#unaware(observer, subject, member)
    this.#set(observer, subject, view)
  }

  #set(observer: number, subject: number, view: number): void {
    const at = observer * this.#capacity + subject
    const before = this.#views[at]!
    if (view === before) return
    this.#up += Number(isUp(view)) - Number(isUp(before))
    this.#views[at] = view
    for (const listener of this.listeners) listener.onView(observer, subject, before, view)
  }

  #forget(observer: number): void {
    for (let i = 0; i < this.#capacity; i++) this.#set(observer, i, UNKNOWN)
  }

  #agreedAt(observer: number): boolean {
    const at = observer * this.#capacity
    for (let subject = 0; subject < this.#capacity; subject++) {
      const expected = subject !== observer && this.#running.has(subject)
      if (isUp(this.#views[at + subject]!) !== expected) return false
    }
    return true
  }

  #upAt(at: number): number {
    let count = 0
    for (let i = 0; i < this.#capacity; i++) if (isUp(this.#views[at + i]!)) count++
    return count
  }

  #index(name: string): number {
    const { index } = this.#sim.world.host(name)
    if (index >= this.#capacity) throw new Error(`more nodes than the ${this.#capacity} announced`)
    return index
  }
}

/** Whether a view of `VIEW` is that of a member that is not failed and has not left. */
export function isUp(view: number): boolean {
  return view === ALIVE || view === SUSPECT
}
