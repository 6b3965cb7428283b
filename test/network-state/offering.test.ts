import { beforeEach, expect, test } from 'vitest'
import type { Peer } from '../../src/dissemination/peer.ts'
import { NetworkState } from '../../src/network-state/network-state.ts'
import { BUILT_IN, encodeParticipation, participationKey } from '../../src/network-state/participation.ts'
import { NOTHING_SUPERSEDED } from '../../src/wire/entry-event.ts'
import type { ProbeDigest } from '../../src/wire/messages.ts'
import { hashString } from '../../src/wire/mix.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { idleHost, STATE_OPTIONS } from './idle-host.ts'

const EPOCH = { time: 1_735_689_600_000, nonce: 7 }
const INSIDERS = ['a', 'b', 'c', 'd', 'e']
const OUTSIDER = 'outsider'
const BLUE = hashString('blue')

const peerOf = (name: string): Peer => ({ name, address: `${name}:1` })

let state: NetworkState
let told: { to: string; digest: ProbeDigest }[]
let offered: { equal: boolean; from: string }[]
let offers: string[]

/** A host that takes part in "blue" with some others, and knows one that does not. */
beforeEach(async () => {
  const clock = new TestClock()
  const others = [...INSIDERS, OUTSIDER]
  told = []
  offered = []
  offers = []
  const owners = {
    status: () => 'reachable' as const,
    epoch: () => EPOCH,
    peer: peerOf,
    peers: () => others.map(peerOf),
    isolated: false,
  }
  state = new NetworkState(clock.runtime(1), STATE_OPTIONS, {
    ...idleHost('self', owners),
    offer: (network) => offers.push(network),
    tell: ({ name }, digest) => told.push({ to: name, digest }),
    offered: (equal, { name }) => offered.push({ equal, from: name }),
  })
  state.open(EPOCH)
  const joining = state.joinNetwork('blue')
  clock.run(10_000)
  await joining
  for (const owner of INSIDERS) {
    const value = encodeParticipation({ epoch: EPOCH, base: 0 })
    const item = { seq: 1, key: participationKey('blue'), value, stamp: 1 }
    state.onEvent({ network: BUILT_IN, owner, epoch: EPOCH, base: 0, item, superseded: NOTHING_SUPERSEDED })
  }
})

function digestOf(network: string): number {
  return [...state.replicas()].find(({ name }) => name === network)!.digest().low
}

test('what is more than a backlog is offered, what is less is not', () => {
  const table = state.network('blue').table<number>('t')
  for (let i = 0; i < 63; i++) table.set(`${i}`, i)
  expect(offers).toEqual([])
  for (let i = 63; i < 70; i++) table.set(`${i}`, i)
  expect(new Set(offers)).toEqual(new Set(['blue']))
})

test('an offer is told to three of those who take part', () => {
  for (let i = 0; i < 50; i++) {
    told.length = 0
    state.tell('blue')
    const hearers = new Set(told.map(({ to }) => to))
    expect(hearers.size).toBe(3)
    expect(hearers).not.toContain(OUTSIDER)
    for (const { digest } of told) expect(digest).toEqual({ network: BLUE, digest: digestOf('blue') })
  }
})

test('one of the built-in network is told to anyone', () => {
  const hearers = new Set<string>()
  for (let i = 0; i < 50; i++) {
    told.length = 0
    state.tell(BUILT_IN)
    for (const { to } of told) hearers.add(to)
  }
  expect(hearers).toContain(OUTSIDER)
})

test('an offer that is heard is compared with what this host has', () => {
  const own = digestOf('blue')
  state.onOffer([{ network: BLUE, digest: own }], peerOf('a'))
  state.onOffer([{ network: BLUE, digest: own ^ 1 }], peerOf('b'))
  expect(offered).toEqual([
    { equal: true, from: 'a' },
    { equal: false, from: 'b' },
  ])
})

test('offers by those who do not take part, and of networks that are not joined here, are ignored', () => {
  state.onOffer([{ network: BLUE, digest: 1 }], peerOf(OUTSIDER))
  state.onOffer([{ network: hashString('red'), digest: 1 }], peerOf('a'))
  state.tell('red')
  expect([offered, told]).toEqual([[], []])
})
