import { beforeEach, describe, expect, it } from 'vitest'
import type { Peer } from '../../src/dissemination/peer.ts'
import type { SyncOutcome } from '../../src/dissemination/sync-session.ts'
import { Takeover } from '../../src/network-state/takeover.ts'
import { TestClock } from '../dissemination/test-clock.ts'

const TIMEOUT_MS = 10_000
const A: Peer = { name: 'a', address: '10.0.0.1:1' }
const B: Peer = { name: 'b', address: '10.0.0.2:1' }
const C: Peer = { name: 'c', address: '10.0.0.3:1' }
const D: Peer = { name: 'd', address: '10.0.0.4:1' }

interface Sync {
  readonly peer: string
  heard: number
  aborted: boolean
  end(ok: boolean, common?: readonly string[]): void
}

let clock: TestClock
let syncs: Sync[]
let settled: boolean[]
let participants: readonly Peer[]
let members: readonly Peer[]
let isolated: boolean
let awaited: string | undefined

beforeEach(() => {
  clock = new TestClock()
  syncs = []
  settled = []
  participants = [A, B, C, D]
  members = [A, B, C, D]
  isolated = false
  awaited = undefined
})

function begin(): Takeover {
  const takeover = new Takeover(
    'blue',
    {
      runtime: clock.runtime(1),
      owners: {
        status: () => 'reachable',
        peer: () => undefined,
        peers: () => members,
        epoch: () => undefined,
        get isolated() {
          return isolated
        },
      },
      peers: () => participants,
      sync: ({ name }, onEnd) => {
        const sync = {
          peer: name,
          heard: 0,
          aborted: false,
          abort: () => {
            sync.aborted = true
          },
          end: (ok: boolean, common: readonly string[] = ['blue']) =>
            onEnd({ ok, peer: name, common, error: undefined } satisfies SyncOutcome),
        }
        syncs.push(sync)
        return sync
      },
      awaits: ({ name }) => name === awaited,
      settled: (synced) => settled.push(synced),
    },
    TIMEOUT_MS,
  )
  takeover.start()
  return takeover
}

describe('who joins a network', () => {
  it('asks one participant alone as long as something comes', () => {
    begin()
    for (let i = 0; i < 20; i++) {
      clock.run(250)
      syncs[0]!.heard++
    }
    expect(syncs).toHaveLength(1)
    syncs[0]!.end(true)
    expect(settled).toEqual([true])
    expect(clock.waiting).toBe(0)
  })

  it('asks others, too, when nothing comes, three at most at a time', () => {
    begin()
    clock.run(3_000)
    expect(new Set(syncs.map(({ peer }) => peer)).size).toBe(3)
    expect(syncs).toHaveLength(3)
    syncs[2]!.end(true)
    expect(settled).toEqual([true])
    expect(syncs.map(({ aborted }) => aborted)).toEqual([true, true, false])
  })

  it('asks the next one at once when one fails', () => {
    begin()
    syncs[0]!.end(false)
    syncs[1]!.end(true, [])
    expect(syncs).toHaveLength(3)
    expect(settled).toEqual([])
    syncs[2]!.end(true)
    expect(settled).toEqual([true])
  })

  it('asks again when all have failed, and gives up when its time is over', () => {
    begin()
    for (let i = 0; i < 4; i++) syncs[i]!.end(false)
    expect(syncs).toHaveLength(4)
    expect(settled).toEqual([])
    clock.run(1_000)
    expect(syncs.length).toBeGreaterThan(4)
    clock.run(TIMEOUT_MS)
    expect(settled).toEqual([false])
    expect(clock.waiting).toBe(0)
  })

  it('asks whoever is asked for another network anyway', () => {
    for (awaited of ['a', 'b', 'c', 'd']) begin()
    expect(syncs.map(({ peer }) => peer)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('asks members who takes part where nobody seems to, and then one of those who do', () => {
    participants = []
    members = [A, B]
    begin()
    expect(syncs).toHaveLength(2)
    participants = [C]
    syncs[0]!.end(true, [])
    expect(syncs.map(({ peer }) => peer)).toEqual([expect.anything(), expect.anything(), 'c'])
    syncs[1]!.end(true, [])
    expect(syncs).toHaveLength(3)
    syncs[2]!.end(true)
    expect(settled).toEqual([true])
  })

  it.each([
    [true, false],
    [false, true],
  ])('has nothing to take over where nobody else takes part; unless it is cut off: %s', (cutOff, synced) => {
    participants = []
    isolated = cutOff
    begin()
    syncs[0]!.end(true, [])
    expect(settled).toEqual([])
    syncs[1]!.end(true, [])
    expect(settled).toEqual([synced])
  })
})
