import type { Runtime } from '../runtime/runtime.ts'
import type { Ack, Token } from '../wire/messages.ts'

/** A question that waits for its answer. */
export interface OpenPing {
  readonly token: Token
  /** Stops waiting. Idempotent. */
  close(): void
}

export interface PingHandlers {
  onAck(ack: Ack, from: string): void
  /** A helper says that it got no answer. */
  onNack?(): void
}

/** The questions this node has asked and not yet given up, by token. Time-outs are the asker's. */
export class Pings {
  readonly #runtime: Runtime
  /** By the lower half of the token as a signed integer, which is looked up without a box. */
  readonly #open = new Map<number, Question>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  get size(): number {
    return this.#open.size
  }

  open(handlers: PingHandlers): OpenPing {
    let low = this.#runtime.randomUint32()
    while (this.#open.has(low | 0)) low = this.#runtime.randomUint32()
    const question = new Question({ high: this.#runtime.randomUint32(), low }, handlers, this.#open)
    this.#open.set(low | 0, question)
    return question
  }

  /** Hands an answer to whoever asked; false if nobody did. Further answers to an open question are handed on, too. */
  acked(ack: Ack, from: string): boolean {
    const open = this.#find(ack.token)
    open?.handlers.onAck(ack, from)
    return open !== undefined
  }

  nacked(token: Token): boolean {
    const open = this.#find(token)
    open?.handlers.onNack?.()
    return open !== undefined
  }

  #find(token: Token): Question | undefined {
    const open = this.#open.get(token.low | 0)
    return open?.token.high === token.high ? open : undefined
  }
}

class Question implements OpenPing {
  readonly token: Token
  readonly handlers: PingHandlers
  readonly #among: Map<number, Question>

  constructor(token: Token, handlers: PingHandlers, among: Map<number, Question>) {
    this.token = token
    this.handlers = handlers
    this.#among = among
  }

  close(): void {
    const key = this.token.low | 0
    if (this.#among.get(key) === this) this.#among.delete(key)
  }
}
