import type { Runtime, SecretFiles, Timer, Transport, TransportHandlers } from './runtime.ts'

/**
 * A runtime for one node: once closed, nothing that the node has scheduled runs any more, and no timer keeps the process
 * alive.
 */
export class ScopedRuntime implements Runtime {
  readonly #runtime: Runtime
  readonly #timers: ScopedTimer = new ScopedTimer(undefined, () => {})
  #closed = false

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  close(): void {
    this.#closed = true
    while (this.#timers.next !== this.#timers) this.#timers.next.cancel()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#closed) return NEVER
    const timer = new ScopedTimer(this.#timers, callback)
    timer.inner = this.#runtime.setTimer(delayMs, timer.fire)
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

  get secretFiles(): SecretFiles | undefined {
    return this.#runtime.secretFiles
  }
}

/** A timer in the ring of those that are armed, from which it takes itself out when it fires or is cancelled. */
class ScopedTimer implements Timer {
  inner: Timer | undefined
  next: ScopedTimer
  #previous: ScopedTimer
  readonly #callback: () => void

  /** Behind `head`; without one, a ring of its own. */
  constructor(head: ScopedTimer | undefined, callback: () => void) {
    this.#callback = callback
    this.next = head ?? this
    this.#previous = head === undefined ? this : head.#previous
    this.#previous.next = this
    this.next.#previous = this
  }

  readonly fire = (): void => {
    this.#unlink()
    this.#callback()
  }

  cancel(): void {
    this.#unlink()
    this.inner?.cancel()
  }

  #unlink(): void {
    this.#previous.next = this.next
    this.next.#previous = this.#previous
    this.next = this
    this.#previous = this
  }
}

const NEVER: Timer = { cancel() {} }
