import { beforeEach, expect, it } from 'vitest'
import { Dialogue } from '../../src/membership/dialogue.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { Pings } from '../../src/membership/pings.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import { Proofs } from '../../src/membership/proofs.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { type Ping, readMessages, readPing } from '../../src/wire/messages.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const TIMEOUT_MS = 500

let clock: TestClock
let list: MemberList
let pings: Pings
let proofs: Proofs
let asked: { readonly to: string; readonly ping: Ping }[]
let proven: string[]

beforeEach(() => {
  clock = new TestClock()
  list = new MemberList(recordOf('self'))
  for (let i = 0; i < 100; i++) list.add(recordOf(`m${i}`), 'alive', clock.now)
  const runtime = clock.runtime(1)
  pings = new Pings(runtime)
  asked = []
  proven = []
  const dialogue = new Dialogue(list, new ProbeSchedule(list), {
    send: (to, _, write) => {
      const writer = new Writer()
      write(writer)
      readMessages(writer.view(), (_type, payload) => asked.push({ to, ping: readPing(payload) }) > 0)
    },
    digestsFor: () => [],
    coordinate: () => new Uint8Array(0),
  })
  proofs = new Proofs(runtime, { probeTimeoutMs: TIMEOUT_MS }, pings, dialogue)
})

function ask(name: string): void {
  proofs.ask(list.get(name)!, () => proven.push(name))
}

function answer({ ping: { token } }: { readonly ping: Ping }): void {
  pings.acked({ token, sourceId: 0, members: 0, digests: [], coordinate: new Uint8Array(0) }, '')
}

it('a member is asked at its own address, by its life, and what waits for its answer goes on once', () => {
  const { address, id, record } = list.get('m1')!
  ask('m1')
  expect(asked).toMatchObject([{ to: address, ping: { targetId: id, targetNonce: record.epoch.nonce } }])
  answer(asked[0]!)
  answer(asked[0]!)
  expect(proven).toEqual(['m1'])
  clock.run(TIMEOUT_MS + 1)
  expect([pings.size, clock.waiting]).toEqual([0, 0])
})

it('to whom it is enough that it answers, it is nobody in particular who asks; who asks for its state says who it is', () => {
  ask('m1')
  proofs.ask(list.get('m2')!)
  expect(asked.map(({ ping }) => ping.sourceId)).toEqual([0, list.self.id])
  answer(asked[1]!)
  expect([pings.size, proven]).toEqual([1, []])
})

it('one that does not answer in time proves nothing, however late it does', () => {
  ask('m1')
  clock.run(TIMEOUT_MS + 1)
  answer(asked[0]!)
  expect([proven, pings.size]).toEqual([[], 0])
  ask('m1')
  answer(asked[1]!)
  expect(proven).toEqual(['m1'])
})

it('however much is played again, a member is asked once at a time, and not too many are', () => {
  for (let i = 0; i < 1_000; i++) ask(`m${i % 100}`)
  expect(asked).toHaveLength(64)
  expect(new Set(asked.map(({ to }) => to)).size).toBe(64)
})

it('a member that is gone is not asked', () => {
  list.get('m1')!.verdict = 'failed'
  ask('m1')
  expect(asked).toEqual([])
})
