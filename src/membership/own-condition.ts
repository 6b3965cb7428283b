import type { Runtime } from '../runtime/runtime.ts'
import { ClockWatch } from './clock-watch.ts'
import { Isolation } from './isolation.ts'
import type { LocalHealth } from './local-health.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import { OldView, type OldViewHost } from './old-view.ts'
import type { Pings } from './pings.ts'
import { type SuspicionOptions, shortestSuspicionMs } from './suspicion-rules.ts'

export interface OwnConditionHost extends OldViewHost {
  isolationChanged(isolated: boolean): void
  /** The wall clock jumped: this machine may have been suspended, cloned or set back. */
  clockJumped(): void
}

/** What this node knows of itself: whether it is cut off, whether it stood still, and whether its view is out of date for that. */
export class OwnCondition {
  readonly view: OldView
  readonly #runtime: Runtime
  readonly #options: SuspicionOptions
  readonly #members: MemberList
  readonly #health: LocalHealth
  readonly #host: OwnConditionHost
  readonly #isolation: Isolation
  readonly #clocks: ClockWatch
  /** For so long a process hangs before the others can have declared it failed, ms. */
  #failedAfterMs: number

  constructor(
    runtime: Runtime,
    options: SuspicionOptions,
    members: MemberList,
    pings: Pings,
    health: LocalHealth,
    host: OwnConditionHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#health = health
    this.#host = host
    this.#failedAfterMs = shortestSuspicionMs(options, members.liveCount)
    this.view = new OldView(runtime, members, pings, host)
    this.#clocks = new ClockWatch(runtime)
    this.#isolation = new Isolation(options.isolationTimeoutMs, runtime.now(), (isolated) => {
      if (isolated) this.view.begin()
      host.isolationChanged(isolated)
    })
  }

  get isolated(): boolean {
    return this.#isolation.isolated
  }

  get counts(): Readonly<Record<string, number>> {
    return { oldViews: this.view.begun, clockJumps: this.#clocks.jumps }
  }

  /** Another member was heard, by packet or by stream; which one, if that is known. */
  heard(member?: Member): void {
    this.#isolation.heard(this.#runtime.now())
    if (member !== undefined) this.view.heard(member)
  }

  /** To be called every probe interval, after all that had arrived was read. */
  tick(): void {
    this.#failedAfterMs = shortestSuspicionMs(this.#options, this.#members.liveCount)
    this.#checkClocks()
    if (!this.checkIsolation()) this.view.tick()
  }

  /**
   * To be called before news are taken in or told. After a stall what had waited comes before the next tick: timers that are
   * overdue, and packets that are as old as this node's view.
   */
  look(): void {
    if (this.#clocks.stoodStill(this.#failedAfterMs + this.#options.probeIntervalMs)) this.#checkClocks()
  }

  /** Decides anew; to be asked before anybody's silence is held against them. */
  checkIsolation(): boolean {
    this.#isolation.check(this.#runtime.now(), this.#hasOthers(), this.#options.probeIntervalMs)
    return this.isolated
  }

  #checkClocks(): void {
    const { stalledMs, jumpMs } = this.#clocks.check(this.#options.probeIntervalMs)
    if (jumpMs > 0) {
      this.#health.noteLateness(jumpMs, this.#runtime.now())
      this.#host.clockJumped()
    }
    if (stalledMs >= this.#failedAfterMs) this.view.begin()
  }

  #hasOthers(): boolean {
    if (this.#members.live.length > 0) return true
    for (const member of this.#members.gone) if (member.verdict === 'failed') return true
    return false
  }
}
