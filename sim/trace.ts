import { finish, mix } from '../src/wire/mix.ts'

/** What a line of the trace is about. */
export const TRACED = {
  timer: 1,
  packet: 2,
  streamAccepted: 3,
  streamOpened: 4,
  streamData: 5,
  streamDrained: 6,
  streamEnded: 7,
  streamClosed: 8,
  woken: 9,
  booted: 10,
  stopped: 11,
} as const

/** A running hash of everything that happened, in order: two runs with the same hash were the same run. */
export class Trace {
  #left = 0
  #right = 0x9e3779b9 | 0
  /** Lines so far. */
  lines = 0

  /** `at` in ticks of virtual time; `from` and `to` number hosts. */
  record(at: number, kind: number, from: number, to: number, size: number, hash: number): void {
    let line = mix(this.#left, at | 0)
    line = mix(line, Math.floor(at / 0x1_0000_0000) ^ (kind << 24))
    line = mix(line, from)
    line = mix(line, to)
    line = mix(line, size)
    line = mix(line, hash)
    this.#left = line
    this.#right = (Math.imul(this.#right ^ line, 0x01000193) + kind) | 0
    this.lines++
  }

  /** 64 bits in hexadecimal. */
  get hash(): string {
    return hex(finish(this.#left)) + hex(finish(this.#right))
  }
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}
