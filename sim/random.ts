import { finish, mix, mixString } from '../src/wire/mix.ts'
import { exp, log, normalQuantiles } from './arithmetic.ts'

const NORMAL_STEPS = 4096
const NORMAL: Float64Array = normalQuantiles(NORMAL_STEPS)

/**
 * A seeded stream of random numbers: xoshiro128** (Blackman and Vigna), its state filled by splitmix32.
 *
 * A stream is named by its seed and by the labels that led to it, never by how much was drawn before it was forked.
 * So every purpose has a stream of its own, and one more draw here moves nothing there.
 */
export class Random {
  readonly #high: number
  readonly #low: number
  #a: number
  #b: number
  #c: number
  #d: number

  /** Any integer below 2^53 is a seed. */
  constructor(seed: number, lineage: number = Math.floor(seed / 0x1_0000_0000)) {
    this.#high = lineage | 0
    this.#low = seed | 0
    this.#a = splitmix(this.#low, 1)
    this.#b = splitmix(this.#low, 2)
    this.#c = splitmix(this.#high, 3)
    // Never all zero, which is the one state that xoshiro cannot leave.
    this.#d = splitmix(this.#high, 4) | 1
  }

  /** A stream of its own for a purpose; the same label gives the same stream. */
  fork(label: string): Random {
    const low = finish(mixString(mix(0x243f6a88, this.#low), label))
    const high = finish(mixString(mix(0x85a308d3, this.#high), label))
    return new Random(low, high)
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const b = this.#b
    const times5 = Math.imul(b, 5)
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0
    const c = this.#c ^ this.#a
    const d = this.#d ^ b
    this.#b = b ^ c
    this.#a ^= d
    this.#c = c ^ (b << 9)
    this.#d = (d << 11) | (d >>> 21)
    return result
  }

  /** Uniform in [0, 1), in steps of 2^-32. */
  float(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** Uniform among 0 ... n - 1, for n up to 2^32; its bias is below n / 2^32. */
  int(n: number): number {
    return Math.floor(this.float() * n)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  exponential(mean: number): number {
    return -mean * log(1 - this.float())
  }

  /** Standard normal, cut at 4 standard deviations. */
  normal(): number {
    return interpolate(NORMAL, this.uint32())
  }

  lognormal(median: number, sigma: number): number {
    return median * exp(sigma * this.normal())
  }

  /** One of these; the array must not be empty. */
  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!
  }

  /** `count` different ones of these, in random order; all of them if there are fewer. */
  sample<T>(from: readonly T[], count: number): T[] {
    const left = [...from]
    const most = Math.min(count, left.length)
    for (let i = 0; i < most; i++) {
      const other = i + this.int(left.length - i)
      const taken = left[other]!
      left[other] = left[i]!
      left[i] = taken
    }
    left.length = most
    return left
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i += 4) {
      const word = this.uint32()
      for (let j = 0; j < 4 && i + j < bytes.length; j++) bytes[i + j] = word >>> (8 * j)
    }
  }
}

/** A lognormal distribution whose draws cost a table look-up instead of an exponential. */
export class Lognormal {
  readonly #quantiles: Float64Array

  constructor(median: number, sigma: number) {
    this.#quantiles = NORMAL.map((z) => median * exp(sigma * z))
  }

  draw(random: Random): number {
    return interpolate(this.#quantiles, random.uint32())
  }
}

/** Twelve bits choose the step of the table, twenty the place within it. */
function interpolate(table: Float64Array, word: number): number {
  const step = word >>> 20
  const low = table[step]!
  return low + (table[step + 1]! - low) * ((word & 0xfffff) / 0x100000)
}

function splitmix(seed: number, step: number): number {
  let z = (seed + Math.imul(step, 0x9e3779b9)) | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return z ^ (z >>> 15)
}
