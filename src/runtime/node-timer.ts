import type { Timer } from './runtime.ts'

/** The longest delay that `setTimeout` keeps; it turns longer ones into 1 ms. */
const MAX_DELAY_MS = 0x7fff_ffff

/** One call back. `setTimeout` counts whole ms and may be early by one: the deadline decides, and it waits on. */
export class NodeTimer implements Timer {
  readonly #deadline: number
  readonly #callback: () => void
  #handle: NodeJS.Timeout

  constructor(delayMs: number, callback: () => void) {
    this.#deadline = performance.now() + delayMs
    this.#callback = callback
    this.#handle = this.#wait(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #wait(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(), Math.min(Math.ceil(delayMs), MAX_DELAY_MS))
  }

  #expire(): void {
    const left = this.#deadline - performance.now()
    if (left > 0) this.#handle = this.#wait(left)
    else this.#callback()
  }
}
