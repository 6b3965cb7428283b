import {
  type Coordinate,
  DIMENSIONS,
  difference,
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
    const roundTrip = Math.max(roundTripMs, LEAST_LENGTH_MS)
    let next = this.#pulled(other, roundTrip)
    next = this.#adjusted(next, other, roundTrip)
    next = fallen(next)
    if (isValidCoordinate(next)) this.#coordinate = next
    else this.#reset()
    return true
  }

  /** As by a spring between the two, relaxed when its length is the round trip. */
  #pulled(other: Coordinate, roundTrip: number): Coordinate {
    const own = this.#coordinate
    const distance = rawDistanceMs(own, other)
    const wrongness = Math.abs(distance - roundTrip) / roundTrip
    const weight = own.error / Math.max(own.error + other.error, LEAST_LENGTH_MS)
    const gain = ERROR_GAIN * weight
    const error = Math.min(wrongness * gain + own.error * (1 - gain), MAX_ERROR)
    return { ...this.#pushed(own, other, PLACE_GAIN * weight * (roundTrip - distance)), error }
  }

  /** Moves away by `force`, through the core and along the access link in the shares that the distance has of both. */
  #pushed(own: Coordinate, other: Coordinate, force: number): Coordinate {
    const away = difference(own.vector, other.vector)
    const across = magnitude(away)
    if (across < LEAST_LENGTH_MS) return { ...own, vector: plus(own.vector, this.#randomUnit(), force) }
    const heights = own.height + other.height
    const share = force / (across + heights)
    return {
      ...own,
      vector: plus(own.vector, away, share),
      height: Math.max(MIN_HEIGHT_MS, own.height + heights * share),
    }
  }

  #adjusted(own: Coordinate, other: Coordinate, roundTrip: number): Coordinate {
    this.#surprises[this.#nextSurprise] = roundTrip - rawDistanceMs(own, other)
    this.#nextSurprise = (this.#nextSurprise + 1) % ADJUSTMENT_WINDOW
    const sum = this.#surprises.reduce((sum, surprise) => sum + surprise, 0)
    // Half, since the other side adds its own.
    return { ...own, adjustment: sum / (2 * ADJUSTMENT_WINDOW) }
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

/** Falls towards the origin, the faster the farther out (Ledlie et al., "Network Coordinates in the Wild", NSDI 2007). */
function fallen(own: Coordinate): Coordinate {
  const radius = magnitude(own.vector)
  if (radius < LEAST_LENGTH_MS) return own
  const pull = 1000 * (radius / GRAVITY_MS) ** 2
  return { ...own, vector: plus(own.vector, own.vector, -pull / radius) }
}

function plus(vector: readonly number[], direction: readonly number[], length: number): number[] {
  return vector.map((component, i) => component + direction[i]! * length)
}
