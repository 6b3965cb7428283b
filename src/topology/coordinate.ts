/**
 * A place in Vivaldi's space (Dabek et al., "Vivaldi: A Decentralized Network Coordinate System", SIGCOMM 2004), with the
 * height of section 5.4 and the adjustment term of Lee et al. (2008). All lengths are round trips in ms.
 */
export interface Coordinate {
  /** `DIMENSIONS` components: the way through the network's core. */
  readonly vector: readonly number[]
  /** The access link, which every packet of this node crosses wherever it goes. */
  readonly height: number
  /** How far predictions from here have been off lately, as a share: 0 is certain, `MAX_ERROR` knows nothing. */
  readonly error: number
  /** What the space cannot express, averaged over the last round trips. */
  readonly adjustment: number
}

export const DIMENSIONS = 8
export const MAX_ERROR = 1.5
export const MIN_HEIGHT_MS = 0.01

/** No component, height or adjustment of a valid coordinate is farther from zero. */
export const MAX_LENGTH_MS = 10_000

/** Where everybody starts. */
export const ORIGIN: Coordinate = {
  vector: Object.freeze(new Array<number>(DIMENSIONS).fill(0)),
  height: MIN_HEIGHT_MS,
  error: MAX_ERROR,
  adjustment: 0,
}

/** The estimated round trip between two places; symmetric, never negative. */
export function distanceMs(a: Coordinate, b: Coordinate): number {
  const raw = rawDistanceMs(a, b)
  const adjusted = raw + (a.adjustment + b.adjustment)
  return adjusted > 0 ? adjusted : raw
}

/** The distance without adjustments. */
export function rawDistanceMs(a: Coordinate, b: Coordinate): number {
  return gap(a.vector, b.vector) + (a.height + b.height)
}

/** False for other dimensions, numbers that are not finite, and lengths out of bounds. */
export function isValidCoordinate({ vector, height, error, adjustment }: Coordinate): boolean {
  if (vector.length !== DIMENSIONS) return false
  for (let i = 0; i < DIMENSIONS; i++) if (!isLength(vector[i]!)) return false
  return (
    isLength(height) && isLength(adjustment) && height >= MIN_HEIGHT_MS && error >= 0 && error <= MAX_ERROR
  )
}

function isLength(ms: number): boolean {
  return Math.abs(ms) <= MAX_LENGTH_MS
}

/** Distance between two points. */
export function gap(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < DIMENSIONS; i++) sum += (a[i]! - b[i]!) * (a[i]! - b[i]!)
  return Math.sqrt(sum)
}

/** Distance of a point from the origin. */
export function magnitude(vector: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < DIMENSIONS; i++) sum += vector[i]! * vector[i]!
  return Math.sqrt(sum)
}
