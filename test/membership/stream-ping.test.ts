import { beforeEach, describe, expect, it } from 'vitest'
import { answerByStream, pingByStream, STREAM_PING } from '../../src/membership/stream-ping.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { PipeEnd } from '../dissemination/frame-pipe.ts'
import { TestClock } from '../dissemination/test-clock.ts'

const TARGET = { id: 7, nonce: 9 }
const TIMEOUT_MS = 500
const LATENCY_MS = 2

let clock: TestClock
let near: PipeEnd
let far: PipeEnd
let acks: number

beforeEach(() => {
  clock = new TestClock()
  acks = 0
})

/** Pings over a stream whose other end does what is given with the opening frame; never opens without that. */
function ping(answer?: (opening: Uint8Array) => void): void {
  const runtime = clock.runtime(1)
  ;[near, far] = PipeEnd.pair({ schedule: (step) => void clock.schedule(LATENCY_MS, step) })
  pingByStream(
    runtime,
    (handlers) => {
      near.handle(handlers)
      if (answer !== undefined) clock.schedule(LATENCY_MS, () => handlers.onOpen())
      return near
    },
    TARGET,
    TIMEOUT_MS,
    () => acks++,
  )
  far.handle({ onOpen() {}, onFrame: (frame) => answer?.(frame), onDrain() {}, onClose() {} })
}

/** Answers as a node would that is who it is. */
function answerAs(id: number, nonce: number): (opening: Uint8Array) => void {
  return (opening) => {
    answerByStream(far, opening, (asked, askedNonce) => asked === id && askedNonce === nonce)
  }
}

describe('a ping over a stream', () => {
  it('is answered by the member and life that it is for, and leaves nothing behind', () => {
    ping(answerAs(TARGET.id, TARGET.nonce))
    clock.run(TIMEOUT_MS - 1)
    expect(acks).toBe(1)
    expect([near.closed, far.closed]).toEqual([true, true])
    expect(clock.waiting).toBe(0)
  })

  it.each([
    ['another member', answerAs(8, TARGET.nonce)],
    ['another life of it', answerAs(TARGET.id, 10)],
  ])('is not answered by %s', (_, answer) => {
    ping(answer)
    clock.run(2 * TIMEOUT_MS)
    expect(acks).toBe(0)
    expect([near.closed, far.closed]).toEqual([true, true])
  })

  it.each<[string, ((opening: Uint8Array) => void) | undefined]>([
    ['never opens', undefined],
    ['stays silent', () => {}],
  ])('that %s is given up in time', (_, answer) => {
    ping(answer)
    clock.run(TIMEOUT_MS + LATENCY_MS)
    expect(acks).toBe(0)
    expect(near.closed).toBe(true)
    clock.run(10 * TIMEOUT_MS)
    expect(clock.waiting).toBe(0)
  })

  it('calls back once, however often it is answered', () => {
    ping(() => {
      for (let i = 0; i < 3; i++) far.send(Uint8Array.of(1))
    })
    clock.run(2 * TIMEOUT_MS)
    expect(acks).toBe(1)
  })

  it.each([
    ['cut', [STREAM_PING, 0, 0, 0, 7]],
    ['empty', [STREAM_PING]],
  ])('whose opening is %s is not answered', (_, bytes) => {
    ;[near, far] = PipeEnd.pair({ schedule: (step) => void clock.schedule(LATENCY_MS, step) })
    answerByStream(far, Uint8Array.from(bytes), () => true)
    expect(far.frames).toEqual([])
  })

  it('opens with whom it is for', () => {
    ping(() => {})
    clock.run(3 * LATENCY_MS)
    expect(near.frames).toEqual([new Writer().u8(STREAM_PING).u32(TARGET.id).u32(TARGET.nonce).copy()])
  })
})
