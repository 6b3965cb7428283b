import type { SessionId } from './nonces.ts'

const WORDS = 64
const WORD_BITS = 32

/** How far behind the highest sequence of its session a packet may arrive. */
export const REPLAY_WINDOW: number = (WORDS - 1) * WORD_BITS

/** Sessions remembered beside those that are kept. */
const DEFAULT_RECENT_SESSIONS = 4096
const DEFAULT_KEPT_SESSIONS = 65_536

/** Sessions remembered at most, unless the bounds are given. */
export const MAX_SESSIONS: number = DEFAULT_RECENT_SESSIONS + DEFAULT_KEPT_SESSIONS

/**
 * Sliding windows that let each sequence number of a session through once (the rings of RFC 6479). Sessions
 * are bounded: the least recently used is forgotten, except for those that `keep` protects. All windows share
 * one array of bits.
 */
export class ReplayWindows {
  readonly #mostRecent: number
  readonly #mostKept: number
  /** Slots by session, the least recently used first. */
  readonly #recent = new Map<SessionId, number>()
  readonly #kept = new Map<SessionId, number>()
  readonly #free: number[] = []
  #used = 0
  #highest = new Float64Array(8)
  #seen = new Uint32Array(8 * WORDS)

  constructor(bounds: { recent?: number; kept?: number } = {}) {
    this.#mostRecent = bounds.recent ?? DEFAULT_RECENT_SESSIONS
    this.#mostKept = bounds.kept ?? DEFAULT_KEPT_SESSIONS
  }

  get size(): number {
    return this.#recent.size + this.#kept.size
  }

  /** Whether this number of this session comes for the first time; from then on it does not. */
  accept(session: SessionId, sequence: number): boolean {
    return this.#acceptInto(this.#kept.get(session) ?? this.#touch(session), sequence)
  }

  /** Protects a session from being forgotten. False when it is unknown or too many are kept already. */
  keep(session: SessionId): boolean {
    if (this.#kept.has(session)) return true
    const slot = this.#recent.get(session)
    if (slot === undefined || this.#kept.size >= this.#mostKept) return false
    this.#recent.delete(session)
    this.#kept.set(session, slot)
    return true
  }

  /** Takes the protection away; the session counts as just used. */
  release(session: SessionId): void {
    const slot = this.#kept.get(session)
    if (slot === undefined) return
    this.#kept.delete(session)
    this.#recent.set(session, slot)
    if (this.#recent.size > this.#mostRecent) this.#free.push(this.#forgetOldest())
  }

  #acceptInto(slot: number, sequence: number): boolean {
    const highest = this.#highest[slot]!
    if (sequence + REPLAY_WINDOW <= highest) return false

    const word = Math.floor(sequence / WORD_BITS)
    const base = slot * WORDS
    if (sequence > highest) {
      const newest = Math.floor(highest / WORD_BITS)
      const from = Math.max(newest + 1, word - WORDS + 1)
      for (let passed = from; passed <= word; passed++) this.#seen[base + (passed % WORDS)] = 0
      this.#highest[slot] = sequence
    }

    const bit = 1 << (sequence % WORD_BITS)
    const index = base + (word % WORDS)
    const seen = this.#seen[index]!
    if ((seen & bit) !== 0) return false
    this.#seen[index] = seen | bit
    return true
  }

  /** The slot of a session that is not kept, as the most recently used. */
  #touch(session: SessionId): number {
    let slot = this.#recent.get(session)
    if (slot === undefined) slot = this.#newSlot()
    else this.#recent.delete(session)
    this.#recent.set(session, slot)
    return slot
  }

  #newSlot(): number {
    const full = this.#recent.size >= this.#mostRecent
    const slot = full ? this.#forgetOldest() : (this.#free.pop() ?? this.#grow())
    // Stale bits need no wiping: the window wipes each word when it first reaches it.
    this.#highest[slot] = -1
    return slot
  }

  #forgetOldest(): number {
    const [oldest] = this.#recent
    const [session, slot] = oldest!
    this.#recent.delete(session)
    return slot
  }

  #grow(): number {
    const slot = this.#used++
    if (slot === this.#highest.length) {
      const highest = new Float64Array(slot * 2)
      highest.set(this.#highest)
      this.#highest = highest
      const seen = new Uint32Array(slot * 2 * WORDS)
      seen.set(this.#seen)
      this.#seen = seen
    }
    return slot
  }
}
