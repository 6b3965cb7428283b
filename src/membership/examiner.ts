import { sample } from '../dissemination/peer.ts'
import { TokenBucket } from '../dissemination/token-bucket.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Grace, JudgingTimers } from './judging-timers.ts'
import type { LocalHealth } from './local-health.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'

export interface ExaminerOptions {
  readonly probeTimeoutMs: number
  readonly indirectTimeoutMs: number
  /** How long a suspect has to answer whoever examines it. */
  readonly verifyTimeoutMs: number
}

export interface ExaminerHost {
  ping(member: Member, ping: OpenPing): void
  /** A bare connection: does the member's host still answer, whatever its process does? */
  witness(member: Member, timeoutMs: number, onResult: (reached: boolean) => void): void
}

export interface Findings {
  readonly answered: boolean
  /** Another member answered meanwhile: this node is not the one that is cut off. */
  readonly control: boolean
  readonly hostReached: boolean
}

const PINGS = 3
const CONTROLS = 2
/** Examinations begun: at most so many a second, whatever is suspected. */
const PER_SECOND = 10
/** After so many in a row in which nobody answered anything, it is this node that sees nothing. */
const BLIND_AFTER = 3
/** How long a blind node waits before it examines the next one, doubling. */
const BLIND_WAIT_MS = 1_000
const BLIND_WAIT_MAX_MS = 8_000

/**
 * Looks at suspects: a few pings, a bare connection to the host, and pings to others as a control. The number of examinations
 * is bounded. A node that nobody answers, and that may suspect everyone therefore, backs off as a whole: it looks at one suspect at
 * a time, ever more seldom, until it is answered again.
 */
export class Examiner {
  readonly #runtime: Runtime
  readonly #options: ExaminerOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #health: LocalHealth
  readonly #timers: JudgingTimers
  readonly #host: ExaminerHost
  readonly #budget = new TokenBucket(PER_SECOND, PER_SECOND)
  #running = 0
  #unanswered = 0
  #waitMs = 0
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(
    runtime: Runtime,
    options: ExaminerOptions,
    members: MemberList,
    pings: Pings,
    health: LocalHealth,
    timers: JudgingTimers,
    host: ExaminerHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#health = health
    this.#timers = timers
    this.#host = host
  }

  /** Somebody has answered this node: it sees. */
  sighted(): void {
    this.#unanswered = 0
    this.#waitMs = 0
    this.#notBefore = Number.NEGATIVE_INFINITY
  }

  /** Begins to look at a suspect; undefined where that would be too much now. `onEnd` is called later, unless it is cancelled. */
  examine(suspect: Member, onEnd: (findings: Findings) => void): Examination | undefined {
    const now = this.#runtime.now()
    if (now < this.#notBefore || (this.#blind && this.#running > 0)) return undefined
    if (!this.#budget.take(now)) return undefined
    this.#running++
    const examination = new Examination(suspect, (findings) => {
      this.#running--
      if (findings === undefined) return
      this.#look(findings)
      onEnd(findings)
    })
    this.#begin(examination)
    return examination
  }

  get #blind(): boolean {
    return this.#unanswered >= BLIND_AFTER
  }

  #begin(examination: Examination): void {
    const { suspect, findings } = examination
    const { probeTimeoutMs, indirectTimeoutMs, verifyTimeoutMs } = this.#options
    const totalMs = verifyTimeoutMs * this.#health.factor(this.#runtime.now())
    const grace: Grace = { leftMs: probeTimeoutMs + indirectTimeoutMs }
    const direct = examination.opens(
      this.#pings.open({
        onAck: () => {
          findings.answered = true
        },
      }),
    )
    const controls = sample(
      this.#members.live,
      CONTROLS,
      () => this.#runtime.randomUint32(),
      (member) => member !== suspect && member.verdict === 'alive',
    )
    for (const control of controls) {
      const asked = this.#pings.open({
        onAck: () => {
          findings.control = true
        },
      })
      this.#host.ping(control, examination.opens(asked))
    }
    this.#host.witness(suspect, totalMs, (reached) => {
      findings.hostReached ||= reached
    })
    let pinged = 0
    const goOn = (): void => {
      if (findings.answered || pinged === PINGS) {
        examination.end()
        return
      }
      pinged++
      this.#host.ping(suspect, direct)
      examination.timer = this.#timers.set(totalMs / PINGS, grace, goOn)
    }
    goOn()
  }

  #look({ answered, control }: Findings): void {
    if (answered || control) return
    this.#unanswered++
    const now = this.#runtime.now()
    if (!this.#blind || now < this.#notBefore) return
    this.#waitMs = Math.min(Math.max(BLIND_WAIT_MS, 2 * this.#waitMs), BLIND_WAIT_MAX_MS)
    this.#notBefore = now + this.#waitMs
  }
}

/** One suspect being looked at. */
export class Examination {
  readonly suspect: Member
  readonly findings: { -readonly [F in keyof Findings]: boolean } = {
    answered: false,
    control: false,
    hostReached: false,
  }
  timer: Timer | undefined
  readonly #opened: OpenPing[] = []
  readonly #onEnd: (findings: Findings | undefined) => void
  #ended = false

  constructor(suspect: Member, onEnd: (findings: Findings | undefined) => void) {
    this.suspect = suspect
    this.#onEnd = onEnd
  }

  opens(ping: OpenPing): OpenPing {
    this.#opened.push(ping)
    return ping
  }

  /** What it would find does not matter any more. Idempotent. */
  cancel(): void {
    this.#close(undefined)
  }

  end(): void {
    this.#close(this.findings)
  }

  #close(findings: Findings | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.timer?.cancel()
    for (const ping of this.#opened) ping.close()
    this.#onEnd(findings)
  }
}
