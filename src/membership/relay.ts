import type { Runtime } from '../runtime/runtime.ts'
import type { IndirectPing } from '../wire/messages.ts'
import type { Dialogue } from './dialogue.ts'
import type { MemberList } from './member-list.ts'
import type { Pings } from './pings.ts'
import type { RecentLosses } from './recent-losses.ts'

/** Nacks leave when this much of the budget is used up, so that they are back in time. */
const NACK_AT = 0.8
/** Bounds on what others can ask of this node. */
const MAX_RELAYED = 1_024
const MAX_BUDGET_MS = 60_000

/** The helper's part in an indirect probe: pings a member for another one, and says how it went before time is up. */
export class Relay {
  readonly #runtime: Runtime
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #dialogue: Dialogue
  readonly #losses: RecentLosses
  #relayed = 0

  constructor(runtime: Runtime, members: MemberList, pings: Pings, dialogue: Dialogue, losses: RecentLosses) {
    this.#runtime = runtime
    this.#members = members
    this.#pings = pings
    this.#dialogue = dialogue
    this.#losses = losses
  }

  /** Whoever asks from an address at which no member is known to be cannot make this node ping another such address. */
  onRequest(request: IndirectPing, from: string, fromMember: boolean): void {
    const { token, address, targetId, targetNonce } = request
    const named = this.#members.byId(targetId)
    const target = named?.address === address ? named : undefined
    if (this.#relayed >= MAX_RELAYED || (target === undefined && !fromMember)) return
    this.#relayed++
    let finished = false
    const finish = (answer: () => void): void => {
      if (finished) return
      finished = true
      this.#relayed--
      ping.close()
      again?.cancel()
      timer.cancel()
      answer()
    }
    const ping = this.#pings.open({
      onAck: () => finish(() => this.#dialogue.relayAck(token, from)),
    })
    const ask = (): void => this.#dialogue.pingAddress(address, targetId, targetNonce, ping.token, target)
    const waitMs = Math.min(request.budgetMs, MAX_BUDGET_MS) * NACK_AT
    // Two packets for one only to whom this node would ping itself.
    const lossy = target !== undefined && this.#losses.besides(target)
    const again = lossy ? this.#runtime.setTimer(waitMs / 2, ask) : undefined
    const timer = this.#runtime.setTimer(waitMs, () => {
      this.#runtime.afterPendingIo(() => finish(() => this.#dialogue.relayNack(token, from)))
    })
    ask()
  }
}
