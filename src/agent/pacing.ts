import type { Clock } from './node-clock.ts'

/** Keeps something from taking more than a share of the time: what took long rests for longer, up to a limit. */
export class Ration {
  readonly #share: number
  readonly #maxRestMs: number
  #freeAt = Number.NEGATIVE_INFINITY
  #lastMs = 0

  constructor(share: number, maxRestMs: number) {
    this.#share = share
    this.#maxRestMs = maxRestMs
  }

  /** From when on it may be done again. */
  get freeAt(): number {
    return this.#freeAt
  }

  /** How long it took the last time. */
  get lastMs(): number {
    return this.#lastMs
  }

  spent(fromMs: number, untilMs: number): void {
    this.#lastMs = untilMs - fromMs
    this.#freeAt = untilMs + Math.min(this.#lastMs * (1 / this.#share - 1), this.#maxRestMs)
  }
}

export interface BackoffOptions {
  readonly minMs: number
  readonly maxMs: number
}

/**
 * The pause after so many failures in a row: doubled with each one up to the maximum. `chance`, from [0, 1),
 * takes up to a quarter away, so that what failed together is not tried again together.
 */
export function backoffMs({ minMs, maxMs }: BackoffOptions, failures: number, chance: number): number {
  return lessUpToAQuarter(Math.min(minMs * 2 ** (failures - 1), maxMs), chance)
}

export function lessUpToAQuarter(ms: number, chance: number): number {
  return ms * (1 - chance / 4)
}

/** A number from [0, 1). */
export function drawChance(clock: Clock): number {
  return clock.randomUint32() / 2 ** 32
}
