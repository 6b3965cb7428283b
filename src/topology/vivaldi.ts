import {
  type Coordinate,
  DIMENSIONS,
  gap,
  isValidCoordinate,
  MAX_ERROR,
  MIN_HEIGHT_MS,
  magnitude,
  ORIGIN,
  rawDistanceMs,
} from './coordinate.ts'

/** Round trips beyond are accidents, not distances. */
const MAX_ROUND_TRIP_MS = 10_000
/** Shorter lengths are taken for this long where they divide. */
const LEAST_LENGTH_MS = 0.001
/** How much of a surprise goes into the error (c_e of the paper) and into the place (c_c). */
const ERROR_GAIN = 0.25
const PLACE_GAIN = 0.25
/** Round trips that the adjustment averages over. */
const ADJUSTMENT_WINDOW = 20
/**
 * Serf's ρ of 150 in its unit, seconds: strong enough to keep the whole from drifting away over days. With 150 ms, places in
 * one region were pressed together until distances there were five times as wrong.
 */
const GRAVITY_MS = 150_000

/** Whether a measurement can be a distance at all. */
export function isRoundTrip(ms: number): boolean {
  return ms >= 0 && ms <= MAX_ROUND_TRIP_MS
}

/** Finds a node's place among the others, one round trip at a time. The constants are Serf's. */
export class Vivaldi {
  readonly #randomUint32: () => number
  readonly #surprises = new Array<number>(ADJUSTMENT_WINDOW).fill(0)
  #nextSurprise = 0
  #coordinate: Coordinate = ORIGIN
  #rejected = 0
  #resets = 0

  constructor(randomUint32: () => number) {
    this.#randomUint32 = randomUint32
  }

  get coordinate(): Coordinate {
    return this.#coordinate
  }

  /** Round trips not used, because they or the coordinate that came along made no sense. */
  get rejected(): number {
    return this.#rejected
  }

  /** How often the place itself stopped making sense, and was left for the origin. */
  get resets(): number {
    return this.#resets
  }

  /** Somebody at `other` answered after `roundTripMs`. Says whether that was of use. */
  observe(other: Coordinate, roundTripMs: number): boolean {
    if (!isRoundTrip(roundTripMs) || !isValidCoordinate(other)) {
      this.#rejected++
      return false
    }
    const next = this.#pulled(other, Math.max(roundTripMs, LEAST_LENGTH_MS))
    fall(next.vector)
    if (isValidCoordinate(next)) this.#coordinate = next
    else this.#reset()
    return true
  }

  /** As by a spring between the two, relaxed when its length is the round trip. */
  #pulled(other: Coordinate, roundTrip: number): Moved {
    const own = this.#coordinate
    const distance = rawDistanceMs(own, other)
    const wrongness = Math.abs(distance - roundTrip) / roundTrip
    const weight = own.error / Math.max(own.error + other.error, LEAST_LENGTH_MS)
    const gain = ERROR_GAIN * weight
    const next: Moved = {
      vector: own.vector.slice(),
      height: own.height,
      error: Math.min(wrongness * gain + own.error * (1 - gain), MAX_ERROR),
      adjustment: own.adjustment,
    }
    this.#push(next, other, PLACE_GAIN * weight * (roundTrip - distance))
    next.adjustment = this.#adjustment(roundTrip - rawDistanceMs(next, other))
    return next
  }

  /** Moves away by `force`, through the core and along the access link in the shares that the distance has of both. */
  #push(own: Moved, other: Coordinate, force: number): void {
    const across = gap(own.vector, other.vector)
    if (across < LEAST_LENGTH_MS) {
      const direction = this.#randomUnit()
      for (let i = 0; i < DIMENSIONS; i++) own.vector[i]! += direction[i]! * force
      return
    }
    const heights = own.height + other.height
    const share = force / (across + heights)
    for (let i = 0; i < DIMENSIONS; i++) own.vector[i]! += (own.vector[i]! - other.vector[i]!) * share
    own.height = Math.max(MIN_HEIGHT_MS, own.height + heights * share)
  }

  #adjustment(surprise: number): number {
    this.#surprises[this.#nextSurprise] = surprise
    this.#nextSurprise = (this.#nextSurprise + 1) % ADJUSTMENT_WINDOW
    let sum = 0
    for (let i = 0; i < ADJUSTMENT_WINDOW; i++) sum += this.#surprises[i]!
    // Half, since the other side adds its own.
    return sum / (2 * ADJUSTMENT_WINDOW)
  }

  #randomUnit(): number[] {
    const vector = Array.from({ length: DIMENSIONS }, () => this.#randomUint32() / 2 ** 31 - 1)
    const length = magnitude(vector)
    if (length < LEAST_LENGTH_MS) return ORIGIN.vector.map((_, i) => (i === 0 ? 1 : 0))
    return vector.map((component) => component / length)
  }

  #reset(): void {
    this.#resets++
    this.#coordinate = ORIGIN
    this.#surprises.fill(0)
  }
}

/** A coordinate on its way to another place. */
interface Moved {
  readonly vector: number[]
  height: number
  error: number
  adjustment: number
}

/** Falls towards the origin, the faster the farther out (Ledlie et al., "Network Coordinates in the Wild", NSDI 2007). */
function fall(vector: number[]): void {
  const radius = magnitude(vector)
  if (radius < LEAST_LENGTH_MS) return
  const pull = 1000 * (radius / GRAVITY_MS) ** 2
  for (let i = 0; i < DIMENSIONS; i++) vector[i]! += vector[i]! * (-pull / radius)
}
