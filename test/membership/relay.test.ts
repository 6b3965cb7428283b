import { beforeEach, expect, it } from 'vitest'
import { Dialogue } from '../../src/membership/dialogue.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { Pings } from '../../src/membership/pings.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import { RecentLosses } from '../../src/membership/recent-losses.ts'
import { Relay } from '../../src/membership/relay.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { MESSAGE, readMessages, readPing } from '../../src/wire/messages.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const BUDGET_MS = 500
const ASKER = '10.9.9.9:1'

let clock: TestClock
let list: MemberList
let pings: Pings
let losses: RecentLosses
let relay: Relay
let sent: { type: number; to: string; atMs: number }[]
/** Answers the ping of this number, if any. */
let answered: number | undefined

beforeEach(() => {
  clock = new TestClock()
  list = new MemberList(recordOf('self'))
  for (const name of ['x', 'a', 'b']) list.add(recordOf(name), 'alive', clock.now)
  const runtime = clock.runtime(1)
  pings = new Pings(runtime)
  losses = new RecentLosses()
  sent = []
  answered = undefined
  const start = clock.now
  const dialogue = new Dialogue(list, new ProbeSchedule(list), {
    send: (to, _, write) => {
      const writer = new Writer()
      write(writer)
      readMessages(writer.view(), (type, payload) => {
        sent.push({ type, to, atMs: clock.now - start })
        if (type !== MESSAGE.ping || --answered! !== 0) return true
        const { token } = readPing(payload)
        const ack = { token, sourceId: 0, members: 0, digests: [], coordinate: new Uint8Array(0) }
        clock.schedule(2, () => void pings.acked(ack, to))
        return true
      })
    },
    digestsFor: () => [],
    coordinate: () => new Uint8Array(0),
  })
  relay = new Relay(runtime, list, pings, dialogue, losses)
})

function help(address = list.get('x')!.address, fromMember = true): void {
  const { id, record } = list.get('x')!
  const token = { high: 1, low: 2 }
  const target = { address, targetId: id, targetNonce: record.epoch.nonce }
  relay.onRequest({ token, ...target, sourceId: list.get('a')!.id, budgetMs: BUDGET_MS }, ASKER, fromMember)
  clock.run(2 * BUDGET_MS)
  expect([pings.size, clock.waiting]).toEqual([0, 0])
}

function losePackets(): void {
  for (const name of ['a', 'b']) losses.note(list.get(name)!)
}

it('a helper pings the member once, and says in good time that it got no answer', () => {
  help()
  expect(sent).toEqual([
    { type: MESSAGE.ping, to: list.get('x')!.address, atMs: 0 },
    { type: MESSAGE.nack, to: ASKER, atMs: 0.8 * BUDGET_MS },
  ])
})

it('a helper that has lost packets to others lately pings twice, and an answer to either counts', () => {
  losePackets()
  answered = 2
  help()
  expect(sent.map(({ type, atMs }) => [type, atMs])).toEqual([
    [MESSAGE.ping, 0],
    [MESSAGE.ping, 0.4 * BUDGET_MS],
    [MESSAGE.ack, 0.4 * BUDGET_MS + 2],
  ])
})

it('a helper that has got its answer pings no more', () => {
  losePackets()
  answered = 1
  help()
  expect(sent.map(({ type }) => type)).toEqual([MESSAGE.ping, MESSAGE.ack])
})

it('an address that the helper does not know as that member’s is sent one packet for one, whatever is lost', () => {
  losePackets()
  help('10.8.8.8:1')
  expect(sent.map(({ type }) => type)).toEqual([MESSAGE.ping, MESSAGE.nack])
})

it('whoever is not known to be where it asks from is helped with addresses of members only', () => {
  help('10.8.8.8:1', false)
  expect(sent).toEqual([])
  help(list.get('x')!.address, false)
  expect(sent.map(({ type }) => type)).toEqual([MESSAGE.ping, MESSAGE.nack])
})
