import type { Runtime, Timer, Transport, TransportHandlers } from './runtime.ts'

/**
 * A runtime for one node: once closed, nothing that the node has scheduled runs any more, and no timer keeps the process
 * alive.
 */
export class ScopedRuntime implements Runtime {
  readonly #runtime: Runtime
  readonly #timers = new Set<Timer>()
  #closed = false

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#closed) return NEVER
    const inner = this.#runtime.setTimer(delayMs, () => {
      this.#timers.delete(timer)
      callback()
    })
    const timer: Timer = {
      cancel: () => {
        this.#timers.delete(timer)
        inner.cancel()
      },
    }
    this.#timers.add(timer)
    return timer
  }

  defer(callback: () => void): void {
    this.#runtime.defer(() => {
      if (!this.#closed) callback()
    })
  }

  afterPendingIo(callback: () => void): void {
    this.#runtime.afterPendingIo(() => {
      if (!this.#closed) callback()
    })
  }

  now(): number {
    return this.#runtime.now()
  }

  wallClock(): number {
    return this.#runtime.wallClock()
  }

  randomUint32(): number {
    return this.#runtime.randomUint32()
  }

  fillRandom(bytes: Uint8Array): void {
    this.#runtime.fillRandom(bytes)
  }

  resolve(host: string): Promise<string[]> {
    return this.#runtime.resolve(host)
  }

  localAddresses(): readonly string[] {
    return this.#runtime.localAddresses()
  }

  listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    return this.#runtime.listen(bind, handlers)
  }
}

const NEVER: Timer = { cancel() {} }
