import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RecordCodec } from '../../src/security/framed-stream.ts'
import { encodeFrame } from '../../src/security/frames.ts'
import { PlainStreams } from '../../src/security/plain-stream.ts'
import { B, Ear, StreamHarness } from './stream-harness.ts'

const blue = new PlainStreams('blue')

function records(): RecordCodec {
  const answer = blue.answer(blue.initiate().hello)
  if (typeof answer === 'string') throw new Error(answer)
  return answer.records
}

describe('plain streams', () => {
  it('open between nodes of one label', () => {
    const initiation = blue.initiate()
    const answer = new PlainStreams('blue').answer(initiation.hello)
    if (typeof answer === 'string') throw new Error(answer)
    expect(initiation.complete(answer.reply)).toBeTypeOf('object')
  })

  it('each kind of refusal has its cause, on either side', () => {
    const { hello } = blue.initiate()
    const answer = blue.answer(hello)
    if (typeof answer === 'string') throw new Error(answer)
    const sides = [
      { check: (opening: Uint8Array) => blue.answer(opening), good: hello, foreign: answer.reply },
      {
        check: (opening: Uint8Array) => blue.initiate().complete(opening),
        good: answer.reply,
        foreign: hello,
      },
    ]
    for (const { check, good, foreign } of sides) {
      expect(check(good.with(0, 2))).toBe('version')
      expect(check(good.with(1, 5))).toBe('sealed')
      expect(check(good.with(5, good[5]! ^ 1))).toBe('label')
      expect(check(foreign)).toBe('malformed')
      expect(check(good.subarray(0, 5))).toBe('malformed')
      expect(check(good.subarray(0, 1))).toBe('malformed')
      expect(check(Uint8Array.from([...good, 0]))).toBe('malformed')
    }
  })

  it('a record is a frame or the end, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.boolean(), (frame, final) => {
        expect(records().open(records().seal(frame, final))).toEqual({ frame, final })
      }),
    )
    expect(records().open(Uint8Array.of(2, 1))).toBe('malformed')
    expect(records().open(new Uint8Array(0))).toBe('malformed')
  })

  it('what does not confirm the reply opens no stream', async () => {
    const harness = new StreamHarness()
    const atB: Ear[] = []
    const onStream = () => {
      const ear = new Ear()
      atB.push(ear)
      return ear
    }
    const transport = await harness.start(B, onStream, { keys: [] })
    const hello = encodeFrame(blue.initiate().hello)
    for (const record of [records().seal(Uint8Array.of(1), false), records().seal(new Uint8Array(0), true)]) {
      harness.say([hello, encodeFrame(record)])
      harness.network.run()
    }
    expect(transport.counts.drops['stream-malformed']).toBe(2)
    expect(atB).toEqual([])
    harness.say([hello, encodeFrame(records().seal(new Uint8Array(0), false))])
    harness.network.run()
    expect(atB).toHaveLength(1)
    await harness.close()
  })
})
