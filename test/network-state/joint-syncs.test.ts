import { beforeEach, describe, expect, it } from 'vitest'
import type { Peer } from '../../src/dissemination/peer.ts'
import type { SyncOutcome } from '../../src/dissemination/sync-session.ts'
import { JointSyncs } from '../../src/network-state/joint-syncs.ts'
import { TestClock } from '../dissemination/test-clock.ts'

const A: Peer = { name: 'a', address: '10.0.0.1:1' }
const B: Peer = { name: 'b', address: '10.0.0.2:1' }
const OUTCOME: SyncOutcome = { ok: true, peer: 'a', common: [], error: undefined }

interface Session {
  readonly peer: string
  heard: number
  aborted: boolean
  end(): void
}

let clock: TestClock
let sessions: Session[]
let syncs: JointSyncs
let told: string[]

beforeEach(() => {
  clock = new TestClock()
  sessions = []
  told = []
  syncs = new JointSyncs(clock.runtime(1), ({ name }, onEnd) => {
    const session = {
      peer: name,
      heard: 0,
      aborted: false,
      abort: () => {
        session.aborted = true
      },
      end: () => onEnd(OUTCOME),
    }
    sessions.push(session)
    return session
  })
})

describe('networks joined in one step', () => {
  it('share a session with each peer, and all are told how it ended', () => {
    const first = syncs.sync(A, () => told.push('first'))
    syncs.sync(A, () => told.push('second'))
    syncs.sync(B, () => told.push('third'))
    expect([syncs.awaits(A), first.heard, sessions.length]).toEqual([true, 0, 0])
    clock.run(0)
    expect(sessions.map(({ peer }) => peer)).toEqual(['a', 'b'])
    expect(syncs.awaits(A)).toBe(false)
    sessions[0]!.heard = 3
    expect(first.heard).toBe(3)
    sessions[0]!.end()
    expect(told).toEqual(['first', 'second'])
  })

  it('have a session of their own when another one has begun already', () => {
    syncs.sync(A, () => told.push('first'))
    clock.run(0)
    syncs.sync(A, () => told.push('second'))
    clock.run(0)
    expect(sessions).toHaveLength(2)
    sessions[1]!.end()
    expect(told).toEqual(['second'])
  })

  it('end a session when all of them have given it up, and do not begin it if that was before', () => {
    const first = syncs.sync(A, () => told.push('first'))
    const second = syncs.sync(A, () => told.push('second'))
    syncs.sync(B, () => told.push('third')).abort()
    clock.run(0)
    expect(sessions.map(({ peer }) => peer)).toEqual(['a'])
    first.abort()
    first.abort()
    expect(sessions[0]!.aborted).toBe(false)
    sessions[0]!.end()
    expect(told).toEqual(['second'])
    second.abort()
    expect(sessions[0]!.aborted).toBe(false)
    const third = syncs.sync(A, () => told.push('fourth'))
    clock.run(0)
    third.abort()
    expect(sessions[1]!.aborted).toBe(true)
  })
})
