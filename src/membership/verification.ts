import type { Runtime, Timer } from '../runtime/runtime.ts'
import { finish, mix } from '../wire/mix.ts'
import type { Examination, Examiner, Findings } from './examiner.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import { VERIFIERS } from './suspicion-rules.ts'

/** A verifier that could not tell looks again after so long, ever more seldom: it may be able to then. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000] as const
/** One that got an answer looks again, since the suspicion ought to be over soon. */
const ANSWERED_RETRY_MS = 2_000
/** One that has too much to look at tries again. */
const BUSY_RETRY_MS = 1_000

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

/** Members that verify a suspect in this node's place: the best ranked ones that may. Fewer than it takes, if this node is one. */
function betterVerifiers(self: Member, suspect: Member, members: MemberList): readonly Member[] {
  const own = rank(self, suspect)
  const better: Member[] = []
  for (const member of members.ring) {
    if (member === self || rank(member, suspect) <= own || !mayVerify(member, suspect)) continue
    better.push(member)
    if (better.length === VERIFIERS) break
  }
  return better
}

/**
 * Verifies suspicions instead of waiting them out: a few members, chosen by rank for the suspect, examine it at once and add
 * their own accusation, or the suspect refutes in the same round trip.
 */
export class Verification {
  readonly #runtime: Runtime
  readonly #members: MemberList
  readonly #examiner: Examiner
  readonly #accuse: (suspect: Member, hard: boolean) => void
  readonly #checks = new Map<Member, Check>()
  /** Of suspects that others verify: who does. As long as all of these can, nothing has to be ranked anew. */
  readonly #others = new Map<Member, readonly Member[]>()
  /** Verifications by how they ended. */
  readonly counts = { started: 0, answered: 0, hard: 0, soft: 0 }

  constructor(
    runtime: Runtime,
    members: MemberList,
    examiner: Examiner,
    accuse: (suspect: Member, hard: boolean) => void,
  ) {
    this.#runtime = runtime
    this.#members = members
    this.#examiner = examiner
    this.#accuse = accuse
  }

  /** A suspicion has come up or changed, or some who were to verify it may be gone: the next best take their places. */
  consider(suspect: Member): void {
    if (this.#checks.has(suspect) || !this.#wanted(suspect)) return
    const others = this.#others.get(suspect)
    if (others?.every((other) => mayVerify(other, suspect))) return
    const better = betterVerifiers(this.#members.self, suspect, this.#members)
    if (better.length === VERIFIERS) {
      this.#others.set(suspect, better)
      return
    }
    this.#others.delete(suspect)
    const check: Check = { timer: undefined, examination: undefined, attempt: 0 }
    this.#checks.set(suspect, check)
    this.#begin(suspect, check)
  }

  /** The suspicion is over, one way or the other. */
  cancel(suspect: Member): void {
    this.#others.delete(suspect)
    const check = this.#checks.get(suspect)
    if (check === undefined) return
    this.#checks.delete(suspect)
    check.timer?.cancel()
    check.examination?.cancel()
  }

  stop(): void {
    for (const suspect of [...this.#checks.keys()]) this.cancel(suspect)
  }

  #wanted(suspect: Member): boolean {
    return suspect.verdict === 'suspect' && !suspect.isAccusedHardBy(this.#members.self.id)
  }

  #begin(suspect: Member, check: Check): void {
    check.examination = this.#examiner.examine(suspect, (findings) =>
      this.#conclude(suspect, check, findings),
    )
    if (check.examination === undefined) this.#retry(suspect, check, BUSY_RETRY_MS)
    else this.counts.started++
  }

  #conclude(suspect: Member, check: Check, { answered, control, hostReached }: Findings): void {
    check.examination = undefined
    if (answered) this.counts.answered++
    else {
      const hard = control && !hostReached
      this.counts[hard ? 'hard' : 'soft']++
      this.#accuse(suspect, hard)
    }
    if (this.#checks.get(suspect) !== check) return
    if (!this.#wanted(suspect)) this.cancel(suspect)
    else if (answered) this.#retry(suspect, check, ANSWERED_RETRY_MS)
    else this.#retry(suspect, check, RETRY_MS[Math.min(check.attempt++, RETRY_MS.length - 1)]!)
  }

  #retry(suspect: Member, check: Check, delayMs: number): void {
    check.timer = this.#runtime.setTimer(delayMs, () => {
      if (this.#checks.get(suspect) !== check) return
      if (this.#wanted(suspect)) this.#begin(suspect, check)
      else this.cancel(suspect)
    })
  }
}

interface Check {
  timer: Timer | undefined
  examination: Examination | undefined
  attempt: number
}
