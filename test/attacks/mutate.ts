/** A sequence of numbers that depends on the seed only. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) % below
  }
}

/** Bytes that decoders tend to stumble over: ends of varints, lengths and counts. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff]
const MOST_EXTRA = 64

type Roll = (below: number) => number
type Mutation = (bytes: Uint8Array, corpus: readonly Uint8Array[], roll: Roll) => Uint8Array

const flip: Mutation = (bytes, _, roll) => {
  if (bytes.length === 0) return bytes
  const at = roll(bytes.length)
  return bytes.with(at, bytes[at]! ^ (1 << roll(8)))
}

const edge: Mutation = (bytes, _, roll) => {
  if (bytes.length === 0) return bytes
  const edged = bytes.slice()
  const at = roll(bytes.length)
  edged.fill(EDGES[roll(EDGES.length)]!, at, at + 1 + roll(8))
  return edged
}

const truncate: Mutation = (bytes, _, roll) => bytes.slice(0, roll(bytes.length + 1))

const splice: Mutation = (bytes, corpus, roll) => {
  const other = corpus[roll(corpus.length)]!
  return concat(bytes.subarray(0, roll(bytes.length + 1)), other.subarray(roll(other.length + 1)))
}

const double: Mutation = (bytes, _, roll) => {
  const start = roll(bytes.length + 1)
  const end = start + roll(bytes.length - start + 1)
  return concat(bytes.subarray(0, end), bytes.subarray(start))
}

const extend: Mutation = (bytes, _, roll) => {
  const extra = Uint8Array.from({ length: 1 + roll(MOST_EXTRA) }, () => roll(256))
  return concat(bytes, extra)
}

const remove: Mutation = (bytes, _, roll) => {
  const start = roll(bytes.length + 1)
  return concat(bytes.subarray(0, start), bytes.subarray(start + roll(9)))
}

const MUTATIONS: readonly Mutation[] = [flip, edge, truncate, splice, double, extend, remove]

/** One of the corpus after one to four mutations. */
export function mutated(corpus: readonly Uint8Array[], roll: Roll): Uint8Array {
  let bytes = corpus[roll(corpus.length)]!
  for (let times = 1 + roll(4); times > 0; times--)
    bytes = MUTATIONS[roll(MUTATIONS.length)]!(bytes, corpus, roll)
  return bytes
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
