import type { ProbeDigest } from '../wire/messages.ts'
import type { DialogueHost } from './dialogue.ts'
import type { FailureDetectorOptions } from './failure-detector.ts'
import type { HealingOptions } from './healing.ts'
import type { IdentityHost } from './identity.ts'
import type { Member, Verdict } from './member.ts'
import type { VerdictsOptions } from './verdicts.ts'

export interface MembershipOptions extends FailureDetectorOptions, VerdictsOptions, HealingOptions {
  /** λ: news are sent λ·⌈log10(n+1)⌉ times. */
  readonly retransmitMultiplier: number
}

/** What membership asks of the node that it serves. */
export interface MembershipHost extends DialogueHost, Omit<IdentityHost, 'publish'> {
  /** There are news in the queue, or new peers to hear old ones. */
  announce(): void
  witness(to: string, timeoutMs: number, onResult: (reached: boolean) => void): void
  /** Asks over a stream; calls back at most once, only if the target answers in time. */
  streamPing(to: string, targetId: number, targetNonce: number, timeoutMs: number, onAck: () => void): void
  /** What a live member said of its state when it was probed or probed us. Not `proven`: or somebody who plays that again. */
  compareDigests(
    membersEqual: boolean,
    digests: readonly ProbeDigest[],
    member: Member,
    proven: boolean,
  ): void
  /** A member answered a direct ping; the coordinate may be empty. */
  measured(member: Member, rttMs: number, coordinate: Uint8Array): void
  verdictChanged(member: Member, previous: Verdict | undefined): void
  /** What is to be reported of a member has changed: its verdict, or `failed` while it is quarantined. */
  statusChanged(member: Member, previous: Verdict | undefined): void
  /** Metadata or address of a member changed, its verdict did not. */
  updated(member: Member): void
  /** A member is new, or lists other keys than before. */
  keysChanged(member: Member): void
  /** A member that was gone for long is no longer remembered. */
  forgotten(member: Member): void
  isolationChanged(isolated: boolean): void
  /** The wall clock jumped: this machine may have been suspended, cloned or set back. */
  clockJumped(): void
  /** Compares all state with a member. */
  sync(member: Member, onEnd: (ok: boolean) => void): void
}
