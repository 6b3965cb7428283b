import { cpuUsage, memoryUsage } from 'node:process'
import { DigestSum } from '../../src/network-state/digest-sum.ts'
import { LogSet } from '../../src/network-state/log-set.ts'
import { NetworkState } from '../../src/network-state/network-state.ts'
import type { OwnerStatus } from '../../src/network-state/owners.ts'
import {
  BUILT_IN,
  encodeParticipation,
  type Participation,
  participationKey,
} from '../../src/network-state/participation.ts'
import { View } from '../../src/network-state/view.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import {
  type EntryEvent,
  type EntryItem,
  entryKey,
  NOTHING_SUPERSEDED,
  readEntryEvent,
  writeEntryEvent,
} from '../../src/wire/entry-event.ts'
import type { EpochId } from '../../src/wire/epoch.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { idleHost, STATE_OPTIONS } from '../network-state/idle-host.ts'

/** What one node pays for entries of others: bytes held, and time to take them in. Run with `--expose-gc`. */

const NETWORK = 'blue'
const TABLE = 'peers'
const EPOCH: EpochId = { time: 1_735_689_600_000, nonce: 7 }
/** A hybrid stamp of that time. */
const STAMP = EPOCH.time * 1024

/** How many owners, and how many entries each has. */
export interface Holding {
  readonly owners: number
  readonly entriesEach: number
}

export interface Footprint {
  readonly entries: number
  /** Heap and external memory that an entry takes on average, its key and value included; the table's index, too. */
  readonly bytesPerEntry: number
  /** Of these, the bytes that the application asked for: key and value. */
  readonly payloadBytes: number
}

/** Microseconds a remote event costs on average. */
export interface EventCost {
  readonly events: number
  /** In the state itself: log, table index, digest. */
  readonly applied: number
  /** By the whole way of an event that was decoded: whether it may be believed, applying it, and queueing it for others. */
  readonly takenIn: number
  /** From the message's bytes on. */
  readonly decodedAndTakenIn: number
}

/** A node's network state, alone in the world but for owners of whom it is told. */
class Receiver {
  readonly #clock = new TestClock()
  readonly #owners = new Map<string, OwnerStatus>()
  readonly state: NetworkState

  constructor() {
    const host = idleHost('receiver', {
      status: (owner) => this.#owners.get(owner),
      epoch: () => EPOCH,
      peer: (owner) => (this.#owners.has(owner) ? { name: owner, address: owner } : undefined),
      peers: () => [...this.#owners.keys()].map((name) => ({ name, address: name })),
      isolated: false,
    })
    this.state = new NetworkState(this.#clock.runtime(1), STATE_OPTIONS, host)
    this.state.open(EPOCH)
  }

  async join(owners: readonly string[]): Promise<void> {
    const joined = this.state.joinNetwork(NETWORK)
    this.#clock.run(10_000)
    await joined
    const participation: Participation = { epoch: EPOCH, base: 0 }
    const item = {
      seq: 1,
      key: participationKey(NETWORK),
      value: encodeParticipation(participation),
      stamp: STAMP,
    }
    for (const owner of owners) {
      this.#owners.set(owner, 'reachable')
      this.state.ownerChanged(owner)
      this.state.onEvent(eventOf(BUILT_IN, owner, item))
    }
  }

  receive(message: Uint8Array): void {
    this.state.onEvent(readEntryEvent(new Reader(message)), message)
  }

  /** As after a while: everything was passed on. */
  rest(): void {
    for (const replica of this.state.replicas()) replica.queue.clear()
  }

  probed(): void {
    this.state.digestsFor({ name: 'host-00000', address: 'host-00000' })
    this.rest()
  }

  entries(): number {
    let count = 0
    const joined = [...this.state.replicas()].find(({ name }) => name === NETWORK)!
    for (const log of joined.logs) count += log.live.size
    return count
  }
}

/** The state of a network as a `Replica` puts it together, without anybody to hear of it. */
class BareState {
  readonly #logs: LogSet
  readonly digest: DigestSum

  constructor() {
    const view = new View({
      entry: (owner, key) => this.#logs.get(owner)?.entry(key),
      keysOf: () => [],
      visible: () => true,
      reachable: () => true,
    })
    this.#logs = new LogSet({
      listener: ({ owner }, key, change) => {
        if (change === 'presence') view.entryChanged(owner, key)
        else view.valueChanged(key)
      },
      hashChanged: (owner) => this.digest.touch(owner),
    })
    this.digest = new DigestSum((owner) => this.#logs.get(owner)?.hash)
  }

  apply({ owner, epoch, base, item, superseded }: EntryEvent): void {
    this.#logs.apply(owner, epoch, base, item, superseded)
  }
}

/** What 100,000 entries take at a node that was told of each; the last entry stands for all. */
export async function bytesPerEntry({ owners, entriesEach }: Holding): Promise<Footprint> {
  const names = ownerNames(owners)
  const receiver = new Receiver()
  await receiver.join(names)
  const before = heldBytes()
  let payload = 0
  for (const [at, owner] of names.entries()) {
    for (let i = 0; i < entriesEach; i++) {
      const item = entry(at, i, i + 1)
      payload += item.key.length - TABLE.length - 1 + item.value!.length
      receiver.receive(encode(owner, item))
      if (i % 1000 === 0) receiver.rest()
    }
    receiver.rest()
  }
  const held = heldBytes() - before
  const entries = receiver.entries()
  return { entries, bytesPerEntry: held / entries, payloadBytes: payload / entries }
}

/** What it costs to take in events of owners who all write at once, each key so many times. */
export async function microsecondsPerEvent(holding: Holding, rounds = 3): Promise<EventCost> {
  const bare = new BareState()
  const applied = await eventCost(holding, rounds, (_, messages) => {
    const events = messages.map((message) => readEntryEvent(new Reader(message)))
    return timed(
      events,
      (event) => bare.apply(event),
      () => bare.digest.value,
    )
  })
  const takenIn = await eventCost(holding, rounds, (receiver, messages) => {
    const events = messages.map((message) => ({ message, event: readEntryEvent(new Reader(message)) }))
    const onEvent = (at: (typeof events)[number]): void => receiver.state.onEvent(at.event, at.message)
    return timed(events, onEvent, () => receiver.probed())
  })
  const decodedAndTakenIn = await eventCost(holding, rounds, (receiver, messages) => {
    return timed(
      messages,
      (message) => receiver.receive(message),
      () => receiver.probed(),
    )
  })
  const events = holding.owners * holding.entriesEach * rounds
  return { events, applied, takenIn, decodedAndTakenIn }
}

async function eventCost(
  { owners, entriesEach }: Holding,
  rounds: number,
  take: (receiver: Receiver, messages: readonly Uint8Array[]) => number,
): Promise<number> {
  const names = ownerNames(owners)
  const receiver = new Receiver()
  await receiver.join(names)
  let microseconds = 0
  let batch: Uint8Array[] = []
  for (let i = 0; i < entriesEach * rounds; i++) {
    for (const [at, owner] of names.entries()) {
      batch.push(encode(owner, entry(at, i % entriesEach, i + 1)))
      if (batch.length < EVENTS_PER_BATCH) continue
      microseconds += take(receiver, batch)
      batch = []
    }
  }
  microseconds += take(receiver, batch)
  return microseconds / (owners * entriesEach * rounds)
}

/** Microseconds of processor time. Now and then a probe asks for digests, and what was heard is passed on. */
function timed<T>(inputs: readonly T[], take: (input: T) => void, probed: () => void): number {
  const start = cpuUsage()
  for (const [at, input] of inputs.entries()) {
    take(input)
    if (at % EVENTS_PER_DIGEST === 0) probed()
  }
  const { user, system } = cpuUsage(start)
  return user + system
}

const EVENTS_PER_BATCH = 1_000
const EVENTS_PER_DIGEST = 20

function ownerNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `host-${String(i).padStart(5, '0')}`)
}

/** An endpoint's address and what is behind it: about what an overlay tells. */
function entry(owner: number, index: number, seq: number): EntryItem {
  const ip = `10.${owner >> 8}.${owner & 255}.${index}`
  const value = new TextEncoder().encode(
    `{"mac":"02:42:0a:00:00:${index & 255}","vtep":"192.0.2.${owner & 255}"}`,
  )
  return { seq, key: entryKey(TABLE, ip), value, stamp: STAMP + seq }
}

function encode(owner: string, item: EntryItem): Uint8Array {
  return writeEntryEvent(new Writer(), eventOf(NETWORK, owner, item)).copy()
}

function eventOf(network: string, owner: string, item: EntryItem): EntryEvent {
  return { network, owner, epoch: EPOCH, base: 0, item, superseded: NOTHING_SUPERSEDED }
}

function heldBytes(): number {
  if (globalThis.gc === undefined) throw new Error('Run node with --expose-gc.')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = memoryUsage()
  return heapUsed + external
}
