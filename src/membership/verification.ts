import { sample } from '../dissemination/peer.ts'
import { TokenBucket } from '../dissemination/token-bucket.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { finish, mix } from '../wire/mix.ts'
import type { LocalHealth } from './local-health.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'
import { VERIFIERS } from './suspicion-rules.ts'

export interface VerificationOptions {
  /** How long a suspect has to answer a verifier. */
  readonly verifyTimeoutMs: number
}

export interface VerificationHost {
  ping(member: Member, ping: OpenPing): void
  witness(member: Member, timeoutMs: number, onResult: (reached: boolean) => void): void
  accuse(member: Member, hard: boolean): void
}

const PINGS = 3
const CONTROLS = 2
/** A verifier that could not tell, or got an answer, looks again after this long, doubling up to the last. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000] as const
/** Verifications begun: at most so many a second, so that one's own isolation does not turn into a flood. */
const PER_SECOND = 10

/** How well `verifier` ranks for `suspect`: rendezvous hashing, the same at every node. */
function rank(verifier: Member, suspect: Member): number {
  return finish(mix(mix(0, verifier.id), suspect.id))
}

/** The members that are to verify a suspicion: the best ranked live ones that have not accused. */
export function verifiersOf(suspect: Member, members: MemberList): Member[] {
  return members.ring
    .filter((member) => mayVerify(member, suspect))
    .map((member) => ({ member, rank: rank(member, suspect) }))
    .sort((a, b) => b.rank - a.rank || a.member.id - b.member.id)
    .slice(0, VERIFIERS)
    .map(({ member }) => member)
}

function mayVerify(member: Member, suspect: Member): boolean {
  return member !== suspect && member.verdict === 'alive' && !suspect.isAccusedHardBy(member.id)
}

function isVerifier(self: Member, suspect: Member, members: MemberList): boolean {
  const own = rank(self, suspect)
  let better = 0
  for (const member of members.ring) {
    if (member !== self && rank(member, suspect) > own && mayVerify(member, suspect) && ++better >= VERIFIERS)
      return false
  }
  return true
}

/**
 * Verifies suspicions instead of waiting them out: a few members, chosen by rank for the suspect, ping it at once and add
 * their own accusation, or the suspect refutes in the same round trip.
 */
export class Verification {
  readonly #runtime: Runtime
  readonly #options: VerificationOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #health: LocalHealth
  readonly #host: VerificationHost
  readonly #checks = new Map<Member, Check>()
  readonly #budget = new TokenBucket(PER_SECOND, PER_SECOND)
  /** Verifications by how they ended. */
  readonly counts = { started: 0, answered: 0, hard: 0, soft: 0 }

  constructor(
    runtime: Runtime,
    options: VerificationOptions,
    members: MemberList,
    pings: Pings,
    health: LocalHealth,
    host: VerificationHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#health = health
    this.#host = host
  }

  /** A suspicion has come up or changed. */
  consider(suspect: Member): void {
    if (this.#checks.has(suspect) || !this.#wanted(suspect)) return
    if (!isVerifier(this.#members.self, suspect, this.#members)) return
    const check: Check = { timer: undefined, opened: [], attempt: 0 }
    this.#checks.set(suspect, check)
    this.#begin(suspect, check)
  }

  /** The suspicion is over, one way or the other. */
  cancel(suspect: Member): void {
    const check = this.#checks.get(suspect)
    if (check === undefined) return
    this.#checks.delete(suspect)
    check.timer?.cancel()
    closeAll(check)
  }

  stop(): void {
    for (const suspect of [...this.#checks.keys()]) this.cancel(suspect)
  }

  #wanted(suspect: Member): boolean {
    return suspect.verdict === 'suspect' && !suspect.isAccusedHardBy(this.#members.self.id)
  }

  #begin(suspect: Member, check: Check): void {
    if (!this.#budget.take(this.#runtime.now())) {
      this.#retry(suspect, check)
      return
    }
    this.counts.started++
    const totalMs = this.#options.verifyTimeoutMs * this.#health.factor(this.#runtime.now())
    const result = { answered: false, control: false, hostReached: false, pinged: 0 }
    const direct = this.#pings.open({
      onAck: () => {
        result.answered = true
      },
    })
    check.opened.push(direct)
    const controls = sample(
      this.#members.live,
      CONTROLS,
      () => this.#runtime.randomUint32(),
      (member) => member !== suspect && member.verdict === 'alive',
    )
    for (const control of controls) {
      const asked = this.#pings.open({
        onAck: () => {
          result.control = true
        },
      })
      check.opened.push(asked)
      this.#host.ping(control, asked)
    }
    this.#host.witness(suspect, totalMs, (reached) => {
      result.hostReached ||= reached
    })
    const pingAgain = (): void => {
      if (this.#checks.get(suspect) !== check) return
      if (result.pinged++ < PINGS) {
        if (!result.answered) this.#host.ping(suspect, direct)
        check.timer = this.#runtime.setTimer(totalMs / PINGS, pingAgain)
      } else {
        this.#runtime.afterPendingIo(() => {
          if (this.#checks.get(suspect) === check) this.#conclude(suspect, check, result)
        })
      }
    }
    pingAgain()
  }

  #conclude(suspect: Member, check: Check, result: CheckResult): void {
    closeAll(check)
    if (result.answered) this.counts.answered++
    else {
      const hard = result.control && !result.hostReached
      this.counts[hard ? 'hard' : 'soft']++
      this.#host.accuse(suspect, hard)
    }
    if (this.#checks.get(suspect) !== check) return
    if (this.#wanted(suspect)) this.#retry(suspect, check)
    else this.cancel(suspect)
  }

  /** Looks again later; whoever could not tell may be able to then, and dead verifiers make room for others. */
  #retry(suspect: Member, check: Check): void {
    const delay = RETRY_MS[Math.min(check.attempt++, RETRY_MS.length - 1)]!
    check.timer = this.#runtime.setTimer(delay, () => {
      if (this.#checks.get(suspect) !== check) return
      if (this.#wanted(suspect)) this.#begin(suspect, check)
      else this.cancel(suspect)
    })
  }
}

interface Check {
  timer: Timer | undefined
  opened: OpenPing[]
  attempt: number
}

interface CheckResult {
  answered: boolean
  control: boolean
  hostReached: boolean
  pinged: number
}

function closeAll(check: Check): void {
  for (const ping of check.opened) ping.close()
  check.opened = []
}
