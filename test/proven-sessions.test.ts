import { beforeEach, expect, it } from 'vitest'
import { Member } from '../src/membership/member.ts'
import { ProvenSessions } from '../src/proven-sessions.ts'
import { ReplayWindows } from '../src/security/replay-window.ts'
import { recordOf } from './membership/records.ts'

let windows: ReplayWindows
let sessions: ProvenSessions

beforeEach(() => {
  windows = new ReplayWindows({ recent: 2, kept: 2 })
  sessions = new ProvenSessions({
    keepSession: (session) => windows.keep(session),
    releaseSession: (session) => windows.release(session),
  })
})

/** Whether the second packet with this number passes after more former lives than are remembered. */
function remembers(session: string): boolean {
  for (let life = 0; life < 3; life++) windows.accept(`former ${life}`, 0)
  return !windows.accept(session, 7)
}

it('a session in which a member has answered is remembered, however many others come', () => {
  windows.accept('s', 7)
  sessions.answered(new Member(recordOf('a')), 's')
  expect(remembers('s')).toBe(true)
  expect(remembers('s')).toBe(true)
})

it('one in which nobody has is not', () => {
  windows.accept('s', 7)
  expect(remembers('s')).toBe(false)
})

it('only the latest session of a member is kept', () => {
  const member = new Member(recordOf('a'))
  for (const session of ['s', 't']) {
    windows.accept(session, 7)
    sessions.answered(member, session)
  }
  expect([remembers('t'), remembers('s')]).toEqual([true, false])
})

it('a member that is gone is given up, and one that answers though it is held failed is not taken', () => {
  const member = new Member(recordOf('a'))
  windows.accept('s', 7)
  sessions.answered(member, 's')
  sessions.gone('a')
  expect(remembers('s')).toBe(false)
  member.verdict = 'failed'
  sessions.answered(member, 's')
  expect(remembers('s')).toBe(false)
})
