import { beforeEach, describe, expect, it } from 'vitest'
import { FailedVoices } from '../../src/membership/failed-voices.ts'
import { Member } from '../../src/membership/member.ts'
import { recordOf } from './records.ts'

const NOW = -50_000
let voices: FailedVoices
let told: Member[]
let speaker: Member
const accused = recordOf('x', { hard: [1, 2], soft: [3] })

beforeEach(() => {
  told = []
  voices = new FailedVoices((member) => told.push(member))
  speaker = new Member(recordOf('speaker'))
  speaker.verdict = 'failed'
  voices.note(speaker, speaker.address)
})

describe('what a failed member says', () => {
  it('against others does not count; all else does', () => {
    expect(voices.credible(accused, speaker.address, NOW)).toEqual({ ...accused, hard: [], soft: [] })
    const harmless = recordOf('y', { incarnation: 3 })
    expect(voices.credible(harmless, speaker.address, NOW)).toBe(harmless)
    expect(voices.ignored).toBe(1)
  })

  it('counts again when it is not failed any more, or forgotten, and at its new address only there not', () => {
    speaker.verdict = 'alive'
    voices.note(speaker, speaker.address)
    expect(voices.credible(accused, speaker.address, NOW)).toBe(accused)
    const before = speaker.address
    speaker.verdict = 'failed'
    voices.note(speaker, before)
    speaker.record = recordOf('speaker', { address: '10.9.9.9:1' })
    voices.note(speaker, before)
    expect(voices.credible(accused, before, NOW)).toBe(accused)
    expect(voices.credible(accused, '10.9.9.9:1', NOW)).not.toBe(accused)
    voices.forget(speaker)
    expect(voices.credible(accused, '10.9.9.9:1', NOW)).toBe(accused)
  })

  it('does not silence another member that has its address now', () => {
    const heir = new Member(recordOf('heir', { address: speaker.address }))
    heir.verdict = 'failed'
    voices.note(heir, heir.address)
    voices.note(speaker, speaker.address)
    voices.forget(heir)
    expect(voices.credible(accused, speaker.address, NOW)).not.toBe(accused)
  })

  it('is answered once in three times by how it stands with it, and never a flood', () => {
    for (let i = 0; i < 9; i++) voices.credible(accused, speaker.address, NOW)
    expect(told).toEqual([speaker, speaker, speaker])
    for (let i = 0; i < 900; i++) voices.credible(accused, speaker.address, NOW)
    expect(told).toHaveLength(5)
  })
})

describe('what others say', () => {
  it('counts', () => {
    expect(voices.credible(accused, '10.7.7.7:7', NOW)).toBe(accused)
    expect(told).toEqual([])
  })
})
