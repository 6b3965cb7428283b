import { HybridClock } from '../../src/network-state/hybrid-clock.ts'
import type { OwnerLog } from '../../src/network-state/owner-log.ts'
import type { ParkingSpace } from '../../src/network-state/parking.ts'
import { Replica } from '../../src/network-state/replica.ts'
import { Reader } from '../../src/wire/bytes.ts'
import { type EntryEvent, entryKey, readEntryEvent } from '../../src/wire/entry-event.ts'
import type { EpochId } from '../../src/wire/epoch.ts'
import { MESSAGE_HEADER_BYTES } from '../../src/wire/messages.ts'
import type { TestClock } from '../dissemination/test-clock.ts'

/** A network at one node, without the node: who takes part and what is carried to whom is up to the test. */
export class ReplicaNode {
  readonly name: string
  readonly replica: Replica
  readonly clock: HybridClock
  readonly participants: Set<string> = new Set()
  readonly failed: Set<string> = new Set()
  readonly epochs: Map<string, EpochId> = new Map()
  /** Owners of whom something was refused. */
  readonly lacking: string[] = []
  #seq = 0

  constructor(name: string, time: TestClock, parking: ParkingSpace = { taken: 0 }) {
    const runtime = time.runtime(name.length)
    this.name = name
    this.clock = new HybridClock(() => runtime.wallClock())
    this.replica = new Replica('blue', {
      self: name,
      runtime,
      clock: this.clock,
      parking,
      retransmitMultiplier: 4,
      takesPart: (owner) => this.participants.has(owner),
      reachable: (owner) => !this.failed.has(owner),
      visible: (owner) => !this.failed.has(owner),
      epochOf: (owner) => this.epochs.get(owner),
      lacking: (owner) => this.lacking.push(owner),
      peers: () => [...this.participants].map((peer) => ({ name: peer, address: peer })),
      announce: () => {},
      offer: () => {},
      offering: () => false,
      mayRaise: () => true,
      epochOpened: () => {},
      entryChanged: () => {},
    })
    this.replica.open({ time: Math.floor(runtime.wallClock()), nonce: name.length }, false)
  }

  set(key: string, value: string | undefined = `${++this.#seq}`): void {
    const bytes = value === undefined ? undefined : new TextEncoder().encode(value)
    this.replica.write(entryKey('t', key), bytes)
  }

  delete(key: string): void {
    this.replica.write(entryKey('t', key), undefined)
  }

  get(key: string): string | undefined {
    const claim = this.replica.view.winner(entryKey('t', key))
    return claim && new TextDecoder().decode(claim.item.value)
  }

  /** All news that wait, which then wait no more. */
  takeNews(): EntryEvent[] {
    const waiting = this.replica.queue.select(Number.MAX_SAFE_INTEGER, false)
    this.replica.queue.clear()
    return waiting.map(({ bytes }) => readEntryEvent(new Reader(bytes, MESSAGE_HEADER_BYTES)))
  }

  hear(events: readonly EntryEvent[]): void {
    for (const event of events) this.replica.onEvent(event)
  }
}

export function logAt(node: ReplicaNode, owner: string): OwnerLog {
  return node.replica.logs.get(owner)!
}

/** How much of everything a node holds, in the network and of one owner. */
export function held(node: ReplicaNode, owner: string): Record<string, number> {
  const { replica } = node
  const { live, tombs, dels, ranges, shadow } = logAt(node, owner)
  return {
    live: live.size,
    tombs: tombs.size,
    dels: dels.length,
    ranges: ranges.size,
    shadow: shadow?.size ?? 0,
    logs: replica.logs.size,
    queue: replica.queue.size,
    parked: replica.parking.size,
    indexed: [...replica.view.keys('t')].length,
  }
}

/** Nodes that all know each other to take part. */
export function nodes(time: TestClock, ...names: string[]): ReplicaNode[] {
  const all = names.map((name) => new ReplicaNode(name, time))
  for (const node of all) for (const { name } of all) if (name !== node.name) node.participants.add(name)
  return all
}

/** Brings the networks of two nodes to agreement, as a sync does. Returns how many bytes of items were sent. */
export function sync(
  a: ReplicaNode,
  b: ReplicaNode,
  underWay: (frame: Uint8Array) => Uint8Array = (frame) => frame,
): number {
  const one = a.replica.domain.open('initiator', () => {}, b.name)
  const other = b.replica.domain.open('responder', () => {}, a.name)
  try {
    for (let idle = 0; idle < 2; ) {
      const moved = carry(one, other, underWay) || carry(other, one, underWay)
      idle = moved ? 0 : idle + 1
    }
    if (!one.done || !other.done) throw new Error('the sync has not come to its end')
  } finally {
    one.close()
    other.close()
  }
  return one.movedBytes
}

function carry(
  from: ReturnType<Replica['domain']['open']>,
  to: typeof from,
  underWay: (frame: Uint8Array) => Uint8Array,
): boolean {
  const frame = from.next()
  if (frame === undefined) return false
  if (!to.receive(new Reader(underWay(frame)))) throw new Error(`a frame was refused: ${frame}`)
  return true
}
