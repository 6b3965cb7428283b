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
  readonly #open = new Map<number, { high: number; handlers: PingHandlers }>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  get size(): number {
    return this.#open.size
  }

  open(handlers: PingHandlers): OpenPing {
    let low = this.#runtime.randomUint32()
    while (this.#open.has(low)) low = this.#runtime.randomUint32()
    const token = { high: this.#runtime.randomUint32(), low }
    this.#open.set(low, { high: token.high, handlers })
    return { token, close: () => this.#open.delete(low) }
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

  #find(token: Token): { high: number; handlers: PingHandlers } | undefined {
    const open = this.#open.get(token.low)
    return open?.high === token.high ? open : undefined
  }
}
