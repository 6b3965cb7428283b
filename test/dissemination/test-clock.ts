import type { Runtime, Timer } from '../../src/runtime/runtime.ts'
import { ScopedRuntime } from '../../src/runtime/scoped-runtime.ts'

interface Task {
  readonly at: number
  run: (() => void) | undefined
}

/** Virtual time. Its zero means nothing, so it begins below it. */
export class TestClock {
  now = -50_000
  /** Ascending by time; those of one time in the order in which they were set. */
  #tasks: Task[] = []

  /** How much waits to be run. */
  get waiting(): number {
    return this.#tasks.filter(({ run }) => run !== undefined).length
  }

  /** When the next of it is due. */
  get nextAt(): number {
    while (this.#tasks.length > 0 && this.#tasks[0]!.run === undefined) this.#tasks.shift()
    return this.#tasks[0]?.at ?? Number.POSITIVE_INFINITY
  }

  schedule(delayMs: number, run: () => void): Timer {
    const task: Task = { at: this.now + Math.max(0, delayMs), run }
    let at = this.#tasks.length
    while (at > 0 && this.#tasks[at - 1]!.at > task.at) at--
    this.#tasks.splice(at, 0, task)
    return {
      cancel: () => {
        task.run = undefined
      },
    }
  }

  /** Runs everything that is due within the next `ms`. */
  run(ms: number): void {
    const until = this.now + ms
    for (let next = this.#tasks[0]; next !== undefined && next.at <= until; next = this.#tasks[0]) {
      this.#tasks.shift()
      this.now = next.at
      next.run?.()
    }
    this.now = until
  }

  /** A runtime for one process: `close` is its death. Its wall clock may be wrong. */
  runtime(seed: number, wallClockOffsetMs = 0): ScopedRuntime {
    return new ScopedRuntime(this.outside(seed, wallClockOffsetMs))
  }

  /** Time and chance, without a network. */
  outside(seed: number, wallClockOffsetMs = 0): Runtime {
    return {
      now: () => this.now,
      wallClock: () => 1_735_689_600_000 + this.now + wallClockOffsetMs,
      setTimer: (delayMs, callback) => this.schedule(delayMs, callback),
      defer: (callback) => void this.schedule(0, callback),
      afterPendingIo: (callback) => void this.schedule(0, callback),
      randomUint32: randomNumbers(seed),
      fillRandom: () => unsupported(),
      resolve: () => unsupported(),
      localAddresses: () => [],
      listen: () => unsupported(),
    }
  }
}

/** Integers in [0, 2^32), the same for the same seed (SplitMix32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

function unsupported(): never {
  throw new Error('There is no network here.')
}
