/** Of a set of times, in ms. */
export interface Distribution {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Nearest-rank percentiles; nothing of nothing. */
export function distribution(times: readonly number[]): Distribution | null {
  if (times.length === 0) return null
  const sorted = [...times].sort((a, b) => a - b)
  const rank = (share: number): number => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!)
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) }
}

/** To three decimals, as reports show numbers. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
