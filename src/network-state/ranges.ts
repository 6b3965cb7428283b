/** What may be asked of ranges without changing them. */
export type ReadonlyRanges = Pick<Ranges, 'size' | 'pairs' | 'has' | 'covers' | 'copy' | 'first'>

/**
 * A set of positive integers, kept as ascending ranges that neither overlap nor touch: equal sets have equal form.
 * Serialised as flat pairs, both ends included: lo, hi, lo, hi, …
 */
export class Ranges {
  readonly #pairs: number[]

  private constructor(pairs: number[]) {
    this.#pairs = pairs
  }

  static none(): Ranges {
    return new Ranges([])
  }

  /** Takes pairs that came from elsewhere; undefined if they are not what `pairs` of some ranges can be. */
  static parse(pairs: readonly number[]): Ranges | undefined {
    if (pairs.length % 2 !== 0) return undefined
    let end = -1
    for (let i = 0; i < pairs.length; i += 2) {
      const lo = pairs[i]!
      const hi = pairs[i + 1]!
      if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi) || lo <= end + 1 || hi < lo) return undefined
      end = hi
    }
    return new Ranges(pairs.slice())
  }

  /** The ranges of integers that ascend, none twice. */
  static ofAscending(integers: ArrayLike<number>): Ranges {
    const pairs: number[] = []
    for (let i = 0; i < integers.length; i++) {
      const integer = integers[i]!
      if (i > 0 && integer === pairs[pairs.length - 1]! + 1) pairs[pairs.length - 1] = integer
      else pairs.push(integer, integer)
    }
    return new Ranges(pairs)
  }

  /** How many ranges, not how many integers. */
  get size(): number {
    return this.#pairs.length / 2
  }

  /** The live pairs: they change when the ranges do. */
  get pairs(): readonly number[] {
    return this.#pairs
  }

  copy(): Ranges {
    return new Ranges(this.#pairs.slice())
  }

  /** A copy of the lowest `count` ranges. */
  first(count: number): ReadonlyRanges {
    if (this.#pairs.length === 0) return NO_RANGES
    return new Ranges(this.#pairs.slice(0, 2 * count))
  }

  has(integer: number): boolean {
    return this.covers(integer, integer)
  }

  /** Whether all of lo..hi is in. */
  covers(lo: number, hi: number): boolean {
    const pairs = this.#pairs
    if (pairs.length === 0) return false
    const at = this.#firstReaching(lo)
    return at < pairs.length && pairs[at]! <= lo && hi <= pairs[at + 1]!
  }

  /** Whether lo..hi could be added without one range more. */
  touches(lo: number, hi: number = lo): boolean {
    const at = this.#firstReaching(lo - 1)
    return at < this.#pairs.length && this.#pairs[at]! <= hi + 1
  }

  add(lo: number, hi: number = lo): void {
    const pairs = this.#pairs
    const first = this.#firstReaching(lo - 1)
    let next = first
    while (next < pairs.length && pairs[next]! <= hi + 1) next += 2
    if (next === first) {
      pairs.splice(first, 0, lo, hi)
      return
    }
    pairs[first] = Math.min(lo, pairs[first]!)
    pairs[first + 1] = Math.max(hi, pairs[next - 1]!)
    if (next > first + 2) pairs.splice(first + 2, next - first - 2)
  }

  addAll(other: ReadonlyRanges): void {
    const pairs = other.pairs
    for (let i = 0; i < pairs.length; i += 2) this.add(pairs[i]!, pairs[i + 1]!)
  }

  /**
   * Removes whatever is not above `line`, and all that then follows on without a gap. Returns how far the line got
   * that way.
   */
  absorb(line: number): number {
    const pairs = this.#pairs
    let reached = line
    let next = 0
    while (next < pairs.length && pairs[next]! <= reached + 1) {
      reached = Math.max(reached, pairs[next + 1]!)
      next += 2
    }
    if (next > 0) pairs.splice(0, next)
    return reached
  }

  /** Where in `pairs` the first range stands that ends at `integer` or later; behind all of them if none does. */
  #firstReaching(integer: number): number {
    const pairs = this.#pairs
    let high = pairs.length / 2
    // Most questions are about the top.
    if (high === 0 || pairs[pairs.length - 1]! < integer) return pairs.length
    let low = 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if (pairs[2 * middle + 1]! < integer) low = middle + 1
      else high = middle
    }
    return 2 * low
  }
}

/** Shared, where none are to be told of. */
export const NO_RANGES: ReadonlyRanges = Ranges.none()
