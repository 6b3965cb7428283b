/**
 * Exponential, logarithm and the normal distribution from `+ - * /` alone. Those four are exact by IEEE 754, while
 * `Math.exp` and its kin may differ between engines by the last bit; what decides a trace must not.
 */

const LN2 = Math.LN2
const SQRT2 = Math.SQRT2

/** e to the x; relative error below 1e-14 for |x| <= 700, which is what it takes. */
export function exp(x: number): number {
  const halvings = Math.round(x / LN2)
  const rest = x - halvings * LN2
  let sum = 1
  for (let i = 14; i > 0; i--) sum = 1 + (rest * sum) / i
  return scale(sum, halvings)
}

/** Natural logarithm of a positive, normal number; absolute error below 1e-14 near 1. */
export function log(x: number): number {
  let mantissa = x
  let doublings = 0
  for (; mantissa >= SQRT2; doublings++) mantissa /= 2
  for (; mantissa < SQRT2 / 2; doublings--) mantissa *= 2
  const t = (mantissa - 1) / (mantissa + 1)
  const square = t * t
  let sum = 0
  for (let i = 21; i > 0; i -= 2) sum = sum * square + 1 / i
  return 2 * t * sum + doublings * LN2
}

/**
 * Quantiles of the standard normal distribution at 0, 1/count ... 1, the ends cut at -4 and +4. By summing the
 * density, so that no table of constants has to be trusted; error below 1e-4.
 */
export function normalQuantiles(count: number): Float64Array {
  const END = 4
  const STEPS_PER_UNIT = 1024
  const steps = 2 * END * STEPS_PER_UNIT
  const cumulated = new Float64Array(steps + 1)
  let before = exp(-(END * END) / 2)
  for (let i = 1; i <= steps; i++) {
    const z = i / STEPS_PER_UNIT - END
    const density = exp(-(z * z) / 2)
    cumulated[i] = cumulated[i - 1]! + before + density
    before = density
  }
  const whole = cumulated[steps]!
  const quantiles = new Float64Array(count + 1)
  let at = 0
  for (let i = 0; i <= count; i++) {
    const share = (whole * i) / count
    while (at < steps - 1 && cumulated[at + 1]! < share) at++
    const low = cumulated[at]!
    quantiles[i] = (at + (share - low) / (cumulated[at + 1]! - low)) / STEPS_PER_UNIT - END
  }
  return quantiles
}

function scale(value: number, powerOfTwo: number): number {
  let scaled = value
  for (let i = powerOfTwo; i > 0; i--) scaled *= 2
  for (let i = powerOfTwo; i < 0; i++) scaled /= 2
  return scaled
}
