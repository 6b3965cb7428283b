import type { Runtime } from '../runtime/runtime.ts'
import type { IndirectPing } from '../wire/messages.ts'
import type { Dialogue } from './dialogue.ts'
import type { MemberList } from './member-list.ts'
import type { Pings } from './pings.ts'

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
  #relayed = 0

  constructor(runtime: Runtime, members: MemberList, pings: Pings, dialogue: Dialogue) {
    this.#runtime = runtime
    this.#members = members
    this.#pings = pings
    this.#dialogue = dialogue
  }

  onRequest(request: IndirectPing, from: string): void {
    if (this.#relayed >= MAX_RELAYED) return
    this.#relayed++
    const { token, address, targetId, targetNonce } = request
    let finished = false
    const finish = (answer: () => void): void => {
      if (finished) return
      finished = true
      this.#relayed--
      ping.close()
      timer.cancel()
      answer()
    }
    const ping = this.#pings.open({
      onAck: () => finish(() => this.#dialogue.relayAck(token, from)),
    })
    const timer = this.#runtime.setTimer(Math.min(request.budgetMs, MAX_BUDGET_MS) * NACK_AT, () => {
      this.#runtime.afterPendingIo(() => finish(() => this.#dialogue.relayNack(token, from)))
    })
    this.#dialogue.pingAddress(address, targetId, targetNonce, ping.token, this.#members.byId(targetId))
  }
}
