import type { Runtime } from '../runtime/runtime.ts'
import type { Dialogue } from './dialogue.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import { backedOff, Pace, shareOf } from './pace.ts'
import type { OpenPing, Pings } from './pings.ts'

export interface HealingOptions {
  /** Failed members, and seeds that are not known to live, are contacted again at this interval at first. */
  readonly healIntervalMs: number
  /** How long failed and left members are remembered. */
  readonly forgetAfterMs: number
}

/** Any life of a member may answer: it may have restarted, and know nobody. */
const ANY_LIFE = 0

/**
 * Contacts failed members again, so that partitions heal by themselves: whoever lives hears that it is taken for failed, and
 * refutes, and the two compare all that they know. Forgets those that have been gone for long.
 *
 * The rate is that of the cluster, not of the node: a member that failed is contacted once in `backedOff` by all who miss
 * it together, so that an address that is dead draws no more traffic from a thousand nodes than from two. Each node takes its
 * share by the number of those that live. At 5 s a cut of ten minutes into two single nodes is noticed within 5 s of its
 * end; larger parts have more to contact and more who do, and notice sooner. No node makes more than two contacts in
 * `healIntervalMs` (in a LAN a fifth of what it sends to probe), nor waits longer than 120 times that for its turn, since it
 * may be the only one that remembers.
 */
export class Healing {
  readonly #runtime: Runtime
  readonly #options: HealingOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #dialogue: Dialogue
  readonly #forget: (member: Member) => void
  readonly #sync: (member: Member) => void
  readonly #pace: Pace
  #at: number
  #ping: OpenPing | undefined
  readonly counts = { healPings: 0, forgotten: 0 }

  constructor(
    runtime: Runtime,
    options: HealingOptions,
    members: MemberList,
    pings: Pings,
    dialogue: Dialogue,
    forget: (member: Member) => void,
    sync: (member: Member) => void,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#dialogue = dialogue
    this.#forget = forget
    this.#sync = sync
    this.#pace = new Pace(this.#fraction())
    this.#at = runtime.now()
  }

  stop(): void {
    this.#ping?.close()
  }

  /** To be called every probe interval. */
  tick(): void {
    const now = this.#runtime.now()
    const elapsedMs = now - this.#at
    this.#at = now
    // Contacts a millisecond that all nodes owe to all that failed.
    let rate = 0
    for (const member of this.#members.gone) {
      if (now - (member.goneAt ?? now) >= this.#options.forgetAfterMs) {
        this.counts.forgotten++
        this.#forget(member)
      } else {
        rate += this.#rateFor(member, now)
      }
    }
    if (rate === 0) return
    const { healIntervalMs } = this.#options
    const intervalMs = shareOf(1 / rate, this.#members.liveCount, healIntervalMs)
    if (this.#pace.due(elapsedMs, intervalMs)) this.#contact(this.#choose(rate, now))
  }

  #rateFor(member: Member, now: number): number {
    if (member.verdict !== 'failed') return 0
    return 1 / backedOff(this.#options.healIntervalMs, now - (member.goneAt ?? now))
  }

  /** One of the failed members at random, each as likely as its part of the rate. */
  #choose(rate: number, now: number): Member | undefined {
    let left = this.#fraction() * rate
    let last: Member | undefined
    for (const member of this.#members.gone) {
      const part = this.#rateFor(member, now)
      if (part === 0) continue
      last = member
      left -= part
      if (left < 0) break
    }
    return last
  }

  #contact(member: Member | undefined): void {
    if (member === undefined) return
    this.counts.healPings++
    this.#ping?.close()
    const ping = this.#pings.open({
      onAck: () => {
        ping.close()
        this.#sync(member)
      },
    })
    this.#ping = ping
    this.#dialogue.pingAddress(member.address, member.id, ANY_LIFE, ping.token, member)
  }

  #fraction(): number {
    return this.#runtime.randomUint32() / 0x1_0000_0000
  }
}
