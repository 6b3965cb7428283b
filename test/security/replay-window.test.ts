import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_SEQUENCE } from '../../src/security/nonces.ts'
import { REPLAY_WINDOW, ReplayWindows } from '../../src/security/replay-window.ts'

/** The rules without any of the cleverness. */
class NaiveWindows {
  readonly #mostRecent: number
  readonly #mostKept: number
  /** Least recently used first. */
  readonly sessions: { id: string; kept: boolean; highest: number; seen: Set<number> }[] = []

  constructor(mostRecent: number, mostKept: number) {
    this.#mostRecent = mostRecent
    this.#mostKept = mostKept
  }

  accept(id: string, sequence: number): boolean {
    let session = this.sessions.find((other) => other.id === id)
    if (session === undefined) {
      this.#forgetBeyond(this.#mostRecent - 1)
      session = { id, kept: false, highest: -1, seen: new Set() }
    }
    this.#toEnd(session)
    if (sequence <= session.highest - REPLAY_WINDOW || session.seen.has(sequence)) return false
    session.seen.add(sequence)
    session.highest = Math.max(session.highest, sequence)
    return true
  }

  keep(id: string): boolean {
    const session = this.sessions.find((other) => other.id === id)
    if (session === undefined) return false
    if (!session.kept && this.sessions.filter((other) => other.kept).length >= this.#mostKept) return false
    session.kept = true
    return true
  }

  release(id: string): void {
    const session = this.sessions.find((other) => other.id === id)
    if (!session?.kept) return
    session.kept = false
    this.#toEnd(session)
    this.#forgetBeyond(this.#mostRecent)
  }

  #toEnd(session: NaiveWindows['sessions'][number]): void {
    const at = this.sessions.indexOf(session)
    if (at >= 0) this.sessions.splice(at, 1)
    this.sessions.push(session)
  }

  #forgetBeyond(most: number): void {
    const loose = this.sessions.filter((session) => !session.kept)
    for (const session of loose.slice(0, Math.max(0, loose.length - most))) {
      this.sessions.splice(this.sessions.indexOf(session), 1)
    }
  }
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

/** The ring has 64 words of 32 bits, so numbers a multiple of 2048 apart share a bit. */
const sameBits = fc
  .tuple(fc.nat({ max: 4 }), fc.constantFrom(0, 63 * 32), fc.nat({ max: 33 }))
  .map(([laps, word, bit]) => laps * 2048 + word + bit)

const sequence = fc.oneof(
  sameBits,
  sameBits,
  fc.nat({ max: 80 }),
  fc.nat({ max: 3 * REPLAY_WINDOW }),
  fc.integer({ min: REPLAY_WINDOW - 40, max: REPLAY_WINDOW + 40 }),
  fc.integer({ min: MAX_SEQUENCE - 2 * REPLAY_WINDOW, max: MAX_SEQUENCE }),
  fc.nat({ max: MAX_SEQUENCE }),
)

const step = fc.record({
  verb: fc.oneof(
    { weight: 12, arbitrary: fc.constant('accept' as const) },
    { weight: 3, arbitrary: fc.constantFrom('keep' as const, 'keep' as const, 'release' as const) },
  ),
  session: fc.constantFrom(...NAMES),
  sequence,
})

describe('replay windows', () => {
  it('say of every number what a plain set of all numbers would say', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const windows = new ReplayWindows({ recent: 3, kept: 2 })
        const naive = new NaiveWindows(3, 2)
        for (const { verb, session, sequence } of steps) {
          if (verb === 'accept') {
            expect(windows.accept(session, sequence)).toBe(naive.accept(session, sequence))
          } else if (verb === 'keep') {
            expect(windows.keep(session)).toBe(naive.keep(session))
          } else {
            windows.release(session)
            naive.release(session)
          }
          expect(windows.size).toBe(naive.sessions.length)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('a thousand packets that overtake each other all pass, once', () => {
    expect(REPLAY_WINDOW).toBeGreaterThanOrEqual(1024)
    const windows = new ReplayWindows()
    const backwards = Array.from({ length: REPLAY_WINDOW }, (_, i) => 5000 - i)
    expect(backwards.every((sequence) => windows.accept('a', sequence))).toBe(true)
    expect(backwards.some((sequence) => windows.accept('a', sequence))).toBe(false)
    expect(windows.accept('a', 5000 - REPLAY_WINDOW)).toBe(false)
  })

  it('however packets of a session overtake each other, up to 2,016 of them: each passes, once', () => {
    expect(REPLAY_WINDOW).toBe(2016)
    const delays = fc.array(fc.nat({ max: REPLAY_WINDOW - 1 }), { minLength: 3_000, maxLength: 3_000 })
    fc.assert(
      fc.property(delays, fc.nat({ max: MAX_SEQUENCE - 10_000 }), (delays, first) => {
        const windows = new ReplayWindows()
        const arriving = delays.map((delay, i) => ({ sequence: first + i, at: i + delay }))
        arriving.sort((a, b) => a.at - b.at)
        for (const { sequence } of arriving) {
          if (!windows.accept('a', sequence) || windows.accept('a', sequence)) return false
        }
        return arriving.every(({ sequence }) => !windows.accept('a', sequence))
      }),
      { numRuns: 30 },
    )
  })

  it('a number is not taken for one seen 2048 earlier, with which it shares a bit', () => {
    const windows = new ReplayWindows()
    expect(windows.accept('a', 1)).toBe(true)
    expect(windows.accept('a', 4064)).toBe(true)
    expect(windows.accept('a', 2049)).toBe(true)
  })

  it('kept sessions are bounded too', () => {
    const windows = new ReplayWindows({ recent: 4, kept: 1 })
    windows.accept('a', 0)
    windows.accept('b', 0)
    expect([windows.keep('unknown'), windows.keep('a'), windows.keep('a'), windows.keep('b')]).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('sessions of strangers cannot push out one that is kept', () => {
    const windows = new ReplayWindows({ recent: 4, kept: 1 })
    windows.accept('live', 7)
    expect(windows.keep('live')).toBe(true)
    for (let i = 0; i < 1000; i++) windows.accept(`old ${i}`, 0)
    expect(windows.accept('live', 7)).toBe(false)
    expect(windows.size).toBe(5)
  })

  it('memory does not grow with sessions that come and go', () => {
    const windows = new ReplayWindows({ recent: 4, kept: 2 })
    for (let i = 0; i < 5000; i++) {
      windows.accept(`s${i}`, i)
      windows.keep(`s${i}`)
      if (i >= 2) windows.release(`s${i - 2}`)
    }
    expect(windows.size).toBeLessThanOrEqual(6)
  })

  it('memory is that of the sessions that are remembered, however many have come and gone', () => {
    const windows = new ReplayWindows({ recent: 512, kept: 128 })
    const { arrayBuffers: before } = process.memoryUsage()
    for (let i = 0; i < 50_000; i++) {
      windows.accept(`s${i}`, i)
      if (i % 2 === 0) windows.keep(`s${i}`)
      if (i >= 200 && i % 2 === 0) windows.release(`s${i - 200}`)
    }
    expect(windows.size).toBeLessThanOrEqual(640)
    // 264 bytes each, in arrays that double; those that were outgrown may not be collected yet.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(6 * 264 * 640)
  })
})
