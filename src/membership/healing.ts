import { sample } from '../dissemination/peer.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Dialogue } from './dialogue.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'

export interface HealingOptions {
  /** How often one of the failed members is contacted again. */
  readonly healIntervalMs: number
  /** How long failed and left members are remembered. */
  readonly forgetAfterMs: number
}

/**
 * Contacts failed members again at a low rate, so that partitions heal by themselves: whoever lives hears that it is taken for
 * failed, and refutes. Forgets those that have been gone for long.
 */
export class Healing {
  readonly #runtime: Runtime
  readonly #options: HealingOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #dialogue: Dialogue
  readonly #forget: (member: Member) => void
  #timer: Timer | undefined
  #ping: OpenPing | undefined
  readonly counts = { healPings: 0, forgotten: 0 }

  constructor(
    runtime: Runtime,
    options: HealingOptions,
    members: MemberList,
    pings: Pings,
    dialogue: Dialogue,
    forget: (member: Member) => void,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#dialogue = dialogue
    this.#forget = forget
  }

  start(): void {
    const jitter = 0.75 + (0.5 * this.#runtime.randomUint32()) / 0x1_0000_0000
    this.#timer = this.#runtime.setTimer(this.#options.healIntervalMs * jitter, () => {
      this.#round()
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#ping?.close()
  }

  #round(): void {
    const now = this.#runtime.now()
    const failed: Member[] = []
    for (const member of this.#members.gone) {
      if (now - member.verdictAt >= this.#options.forgetAfterMs) {
        this.counts.forgotten++
        this.#forget(member)
      } else if (member.verdict === 'failed') {
        failed.push(member)
      }
    }
    const [member] = sample(failed, 1, () => this.#runtime.randomUint32())
    if (member === undefined) return
    this.counts.healPings++
    this.#ping?.close()
    const ping = this.#pings.open({ onAck: () => ping.close() })
    this.#ping = ping
    this.#dialogue.ping(member, ping)
  }
}
