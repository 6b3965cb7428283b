/**
 * Non-cryptographic hashing: stable across nodes and versions, since digests, verifier rankings and accuser ids are
 * compared between nodes. Never a defence against an adversary; that is the sealing's work.
 */

/** One step of mixing a 32-bit word into a 32-bit state (the body of MurmurHash3). */
export function mix(state: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = state ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** Ends a chain of `mix`: spreads every bit over the result, an unsigned 32-bit integer. */
export function finish(state: number): number {
  let h = state ^ (state >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Mixes an integer below 2^53. */
export function mixNumber(state: number, value: number): number {
  return mix(mix(state, value | 0), Math.floor(value / 0x1_0000_0000))
}

/** Mixes a string by its UTF-16 units and its length. */
export function mixString(state: number, text: string): number {
  let h = state
  for (let i = 0; i < text.length; i++) h = mix(h, text.charCodeAt(i))
  return mix(h, text.length)
}

/** Mixes bytes, from `start` to before `end`, and their count. */
export function mixBytes(state: number, bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let h = state
  const wordsEnd = start + ((end - start) & ~3)
  for (let i = start; i < wordsEnd; i += 4) {
    h = mix(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  for (let i = wordsEnd; i < end; i++) h = mix(h, bytes[i]!)
  return mix(h, end - start)
}

export function hashString(text: string, seed = 0): number {
  return finish(mixString(seed, text))
}
