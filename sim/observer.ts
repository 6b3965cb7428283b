import type { Cluster } from '../src/cluster.ts'
import type { MemberSnapshot, MemberStatus } from '../src/events.ts'
import type { Simulation } from './simulation.ts'

const UNKNOWN = 0
const ALIVE = 1
const SUSPECT = 2
const FAILED = 3
const LEFT = 4
const CODE: Readonly<Record<MemberStatus, number>> = {
  alive: ALIVE,
  suspect: SUSPECT,
  failed: FAILED,
  left: LEFT,
}

/** One crash, and who has found out. */
interface Crash {
  readonly subject: number
  readonly atMs: number
  firstMs: number | undefined
  everyoneMs: number | undefined
  readonly unaware: Set<number>
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
  readonly #sim: Simulation
  readonly #capacity: number
  /** What `observer` thinks of `subject`, at observer * capacity + subject. */
  readonly #views: Uint8Array
  readonly #running = new Set<number>()
  readonly #impaired = new Set<number>()
  readonly #crashes: Crash[] = []
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
      this.#judged(observer, this.#index(member.name))
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
    const code = this.#views[this.#index(observer) * this.#capacity + this.#index(subject)]!
    return (Object.keys(CODE) as MemberStatus[]).find((status) => CODE[status] === code)
  }

  /** To be told when a node crashes, before anything else happens. */
  crashed(name: string): void {
    const subject = this.#index(name)
    this.#running.delete(subject)
    for (const crash of this.#crashes) this.#noticed(crash, subject)
    for (let i = 0; i < this.#capacity; i++) this.#set(subject, i, UNKNOWN)
    const unaware = [...this.#running].filter((o) => isUp(this.#views[o * this.#capacity + subject]!))
    this.#crashes.push({
      subject,
      atMs: this.#sim.now,
      firstMs: undefined,
      everyoneMs: undefined,
      unaware: new Set(unaware),
    })
  }

  /** Whether every survivor knows of every crash. */
  allNoticed(): boolean {
    return this.#crashes.every((crash) => crash.everyoneMs !== undefined)
  }

  /** From each crash to the first survivor who knew, and to the last; crashes not noticed yet are left out. */
  detections(): { firstMs: number[]; everyoneMs: number[] } {
    const defined = (times: (number | undefined)[]): number[] => times.filter((time) => time !== undefined)
    return {
      firstMs: defined(this.#crashes.map((crash) => crash.firstMs)),
      everyoneMs: defined(this.#crashes.map((crash) => crash.everyoneMs)),
    }
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

  #judged(observer: number, subject: number): void {
    const crash = this.#crashes.findLast((candidate) => candidate.subject === subject)
    if (!this.#running.has(subject)) {
      if (crash !== undefined) this.#noticed(crash, observer)
      return
    }
    if (this.#isExcused(observer, subject)) return
    if (this.#impaired.has(observer) || this.#impaired.has(subject)) this.falseAnomalous++
    else this.falseHealthy++
  }

  /** A survivor knows of the crash, or is none any more. */
  #noticed(crash: Crash, observer: number): void {
    if (!crash.unaware.delete(observer)) return
    const elapsed = this.#sim.now - crash.atMs
    if (this.#running.has(observer)) crash.firstMs ??= elapsed
    if (crash.unaware.size === 0) crash.everyoneMs = elapsed
  }

  #see(observer: number, member: MemberSnapshot): void {
    const subject = this.#index(member.name)
    if (subject !== observer && this.#running.has(observer)) this.#set(observer, subject, CODE[member.status])
  }

  #set(observer: number, subject: number, view: number): void {
    const at = observer * this.#capacity + subject
    this.#up += Number(isUp(view)) - Number(isUp(this.#views[at]!))
    this.#views[at] = view
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

function isUp(view: number): boolean {
  return view === ALIVE || view === SUSPECT
}
