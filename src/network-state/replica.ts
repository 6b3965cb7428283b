import { BroadcastQueue } from '../dissemination/broadcast-queue.ts'
import { BytePool } from '../dissemination/byte-pool.ts'
import type { NewsSource } from '../dissemination/gossip.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { Digest, SyncDomain } from '../dissemination/sync-session.ts'
import { TokenBucket } from '../dissemination/token-bucket.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import {
  type EntryEvent,
  type EntryItem,
  NOTHING_SUPERSEDED,
  readEntryEvent,
  writeEntryEvent,
} from '../wire/entry-event.ts'
import { compareEpochs, type EpochId, sameEpoch } from '../wire/epoch.ts'
import { MAX_ENTRY_BYTES } from '../wire/limits.ts'
import { beginMessage, endMessage, MESSAGE, MESSAGE_HEADER_BYTES } from '../wire/messages.ts'
import { hashString } from '../wire/mix.ts'
import { Agreement } from './agreement.ts'
import { DigestSum } from './digest-sum.ts'
import { type HybridClock, MAX_DRIFT_MS } from './hybrid-clock.ts'
import { IntakeTurns } from './intake-turns.ts'
import { LogExchange, type LogExchangeHost } from './log-exchange.ts'
import { LogSet, type VersionRow } from './log-set.ts'
import { OwnLog } from './own-log.ts'
import { Parking, type ParkingSpace } from './parking.ts'
import { superseding } from './superseding.ts'
import { View, type ViewSource } from './view.ts'

/** What the state of a network needs to know of the world around it. */
export interface ReplicaHost {
  readonly self: string
  readonly runtime: Runtime
  readonly clock: HybridClock
  /** λ of the transmit limit. */
  readonly retransmitMultiplier: number
  /** Whether an owner is known at all and takes part in this network. */
  takesPart(owner: string): boolean
  /** Whether an owner that takes part is alive as far as this node can tell. */
  reachable(owner: string): boolean
  /** Whether an owner's entries may be seen. */
  visible(owner: string): boolean
  /** The epoch that an owner's log has here by what members say, for what was not announced by `expectEpoch`. */
  epochOf(owner: string): EpochId | undefined
  /** There is something of an owner that could not be taken in. */
  lacking(owner: string): void
  /** How much is parked in all networks of this node. */
  readonly parking: ParkingSpace
  /** Everyone who takes part, but for this node, and can be reached. */
  peers(): readonly Peer[]
  announce(): void
  /** More was written here than gossip carries well. */
  offer(): void
  /** Whether others are being told to fetch what this node has. */
  offering(): boolean
  /** Whether this node may open an epoch above one that others have seen under its name. */
  mayRaise(): boolean
  /** The log of this node has opened a new epoch. */
  epochOpened(id: EpochId, base: number): void
  entryChanged(owner: string, key: string): void
}

const QUEUE_CAPACITY = 16_384
/** News waiting, more than a few packets carry: deltas over streams are cheaper from here on. */
const BACKLOG = 64
/** Transmissions of what waits in a backlog: two rounds. */
const BACKLOG_TRANSMISSIONS = 4
const MISMATCH_INTERVAL_MS = 5_000
const BUMPS_PER_MINUTE = 3
/** How long a log may be ahead of the word that its owner takes part. */
const RESTART_GRACE_MS = 10_000
/** How long entries of an owner's previous epoch outlast the beginning of one whose opening snapshot never completes. */
const SHADOW_TTL_MS = 30_000

/** The state of one network at this node: logs, view, news, and how it is brought to agreement with others. */
export class Replica implements NewsSource, ViewSource, LogExchangeHost {
  readonly name: string
  /** How probes refer to this network. */
  readonly id: number
  readonly logs: LogSet
  readonly view: View
  readonly queue: BroadcastQueue = new BroadcastQueue(QUEUE_CAPACITY)
  readonly domain: SyncDomain
  readonly parking: Parking
  readonly turns: IntakeTurns
  readonly #host: ReplicaHost
  readonly #encoder = new Writer()
  readonly #pool = new BytePool()
  readonly #agreement = new Agreement()
  readonly #bumps = new TokenBucket(BUMPS_PER_MINUTE / 60, BUMPS_PER_MINUTE)
  /** The epochs that owners' participations named last. */
  readonly #epochs = new Map<string, EpochId>()
  /** Owners of whom the host has said that they take part, until it says that anything about them has changed. */
  readonly #participants = new Set<string>()
  #own: OwnLog | undefined
  #shadowTimer: Timer | undefined
  readonly #digest: DigestSum
  #peers: readonly Peer[] | undefined
  /** Whether the state of another participant was taken over, or there was nobody to take it over from. */
  synced = false
  readonly counts = { applied: 0, duplicates: 0, stale: 0, refused: 0, parked: 0, bumps: 0 }

  constructor(name: string, host: ReplicaHost) {
    this.name = name
    this.id = hashString(name)
    this.#host = host
    this.view = new View(this)
    this.turns = new IntakeTurns(host.runtime)
    this.parking = new Parking(host.runtime, host.parking)
    this.logs = new LogSet({
      listener: (log, key, change) => {
        if (change === 'presence') this.view.entryChanged(log.owner, key)
        else this.view.valueChanged(key)
        host.entryChanged(log.owner, key)
      },
      hashChanged: (owner) => this.#digest.touch(owner),
    })
    this.#digest = new DigestSum((owner) => {
      const log = this.logs.get(owner)
      return log !== undefined && this.isWanted(owner) ? log.hash : undefined
    })
    this.domain = {
      name,
      mismatchIntervalMs: MISMATCH_INTERVAL_MS,
      offered: true,
      digest: () => this.digest(),
      open: (_role, wake) => new LogExchange(this, wake),
    }
  }

  // This node's own log

  get own(): OwnLog | undefined {
    return this.#own
  }

  /** Opens this node's log. What a former life left is inherited as its opening snapshot, or dropped. */
  open(id: EpochId, inherit: boolean): OwnLog {
    this.#own = new OwnLog(this.logs, this.#host.self, id, inherit)
    this.#epochOpened()
    return this.#own
  }

  /** This node has left the network: what is still under way for this replica, such as a sync, must not write any more. */
  close(): void {
    this.#own = undefined
    this.#shadowTimer?.cancel()
    this.queue.clear()
    this.parking.clear()
  }

  /** The log under this node's name is another one's from now on. */
  disown(): void {
    this.#own = undefined
    this.logs.own = undefined
    this.queue.clear()
  }

  /**
   * Begins a new epoch above one that others have seen, with the same entries. Two live processes of one name would do
   * so for ever: beyond a few a minute this one stops.
   */
  bump(seen: EpochId): void {
    if (this.#own === undefined || !this.#host.mayRaise() || !this.#bumps.take(this.#host.runtime.now()))
      return
    this.counts.bumps++
    this.#own.bump(seen)
    this.#epochOpened()
  }

  /** Sets or, without a value, deletes this node's entry of a key; it wins over every claim that is visible here. */
  write(key: string, value: Uint8Array | undefined): void {
    const own = this.#own
    if (own === undefined) return
    const stamp = this.#host.clock.next(this.view.winner(key)?.item.stamp)
    this.#broadcast(own.write(key, value, stamp))
  }

  /** This node's own entry of a key. */
  ownEntry(key: string): EntryItem | undefined {
    return this.#own?.log.entry(key)
  }

  // What comes from others

  /** `encoded`: the event's message as it came, which is passed on so. */
  onEvent(event: EntryEvent, encoded?: Uint8Array): void {
    const { owner, epoch, base, item, superseded } = event
    if (owner === this.#host.self && this.#own !== undefined) {
      if (this.#own.conflictsWith(epoch, item.seq)) this.bump(epoch)
      return
    }
    const log = this.logs.get(owner)
    const present = log !== undefined && sameEpoch(log.id, epoch)
    // Most events come several times.
    if (present && superseded.length === 0 && log.knows(item.seq)) {
      this.counts.duplicates++
      return
    }
    const grounded = this.#takesPart(owner) && (present || this.believes(owner, epoch))
    if (!grounded && owner !== this.#host.self) {
      this.counts.parked++
      this.parking.park(event)
      return
    }
    const result = present
      ? log.applyLast(item, superseded)
      : this.logs.apply(owner, epoch, base, item, superseded)
    switch (result) {
      case 'new':
        this.counts.applied++
        this.#host.clock.witness(item.stamp)
        this.#spread(event, encoded)
        if (base > 0) this.#awaitSnapshots()
        break
      case 'duplicate':
        this.counts.duplicates++
        break
      case 'stale':
        this.counts.stale++
        break
      case 'refused':
        this.counts.refused++
        // Of a backlog streams bring the most anyway.
        if (!this.backlogged) this.#host.lacking(owner)
    }
  }

  /** An owner became known, changed its standing, or began to take part. */
  ownerChanged(owner: string): void {
    this.#participants.delete(owner)
    // Without a log nothing of it counts, before or after.
    if (this.logs.get(owner) !== undefined) this.#digest.touch(owner)
    this.#peers = undefined
    this.view.ownerChanged(owner)
    // Asked without being kept: of most that become known nothing else ever comes.
    if (!this.#host.takesPart(owner)) return
    for (const event of this.parking.release(owner)) this.onEvent(event)
    // A new peer may be the first to hear what has waited.
    if (this.queue.size > 0) this.#host.announce()
  }

  /** An owner has opened a log of this epoch here: an older one gives way. */
  expectEpoch(owner: string, id: EpochId, base: number): void {
    this.#epochs.set(owner, id)
    this.logs.logFor(owner, id, base)
    if (base > 0) this.#awaitSnapshots()
  }

  /**
   * An owner takes part no more: what it had here goes. Not so if its log is of a later epoch than the participation that ended: then it
   * has restarted, and the word that it takes part again is under way.
   */
  participationEnded(owner: string): void {
    const log = this.logs.get(owner)
    const ended = this.#epochs.get(owner)
    this.#participants.delete(owner)
    if (log !== undefined && ended !== undefined && compareEpochs(log.id, ended) > 0) {
      this.#host.runtime.setTimer(RESTART_GRACE_MS, () => {
        if (this.logs.get(owner) === log && !this.#host.takesPart(owner)) this.forget(owner)
      })
    } else {
      this.forget(owner)
    }
  }

  /** Drops what is known of an owner. */
  forget(owner: string): void {
    this.#epochs.delete(owner)
    this.#participants.delete(owner)
    this.logs.forget(owner)
    this.#digest.touch(owner)
    this.#peers = undefined
  }

  /** Over the logs of all owners that can be reached, this node included. */
  digest(): Digest {
    return this.#digest.value
  }

  /** Whether a peer's digest equals ours. A backlog of which enough of them know all is not told any further. */
  agrees(digest: number, peer: Peer): boolean {
    const own = this.digest().low
    const known = this.#agreement.heard(own, digest, peer.name, this.peers().length)
    if (known && this.backlogged) this.queue.clear()
    return own === digest
  }

  // NewsSource

  get backlogged(): boolean {
    return this.queue.size >= BACKLOG
  }

  get offering(): boolean {
    return this.#host.offering()
  }

  audience(): number {
    return this.peers().length
  }

  /** Of a backlog streams carry the most. */
  transmitLimit(): number {
    const limit = this.#host.retransmitMultiplier * Math.ceil(Math.log10(this.peers().length + 2))
    return this.backlogged ? Math.min(BACKLOG_TRANSMISSIONS, limit) : limit
  }

  pick(count: number, preferred: readonly Peer[]): Peer[] {
    const chosen = preferred.filter((peer) => this.mayHear(peer)).slice(0, count)
    const random = (): number => this.#host.runtime.randomUint32()
    return [
      ...chosen,
      ...sample(this.peers(), count - chosen.length, random, (peer) => !chosen.includes(peer)),
    ]
  }

  mayHear(peer: Peer): boolean {
    return this.#takesPart(peer.name)
  }

  peers(): readonly Peer[] {
    this.#peers ??= this.#host.peers()
    return this.#peers
  }

  // ViewSource

  entry(owner: string, key: string): EntryItem | undefined {
    return this.logs.get(owner)?.entry(key)
  }

  *keysOf(owner: string): Generator<string> {
    const log = this.logs.get(owner)
    if (log !== undefined) for (const item of log.entries()) yield item.key
  }

  visible(owner: string): boolean {
    return owner === this.#host.self || this.#host.visible(owner)
  }

  reachable(owner: string): boolean {
    return owner === this.#host.self || this.#host.reachable(owner)
  }

  // LogExchangeHost

  wanted(): readonly string[] {
    return [this.#host.self, ...this.peers().map(({ name }) => name)]
  }

  get wantedCount(): number {
    return this.peers().length + 1
  }

  isWanted(owner: string): boolean {
    return owner === this.#host.self || (this.#takesPart(owner) && this.#host.reachable(owner))
  }

  bucketSums(): Uint32Array {
    return this.#digest.buckets
  }

  /** An epoch from the future is one that its owner is known to be in: a wrong clock there, not a wrong word here. */
  believes(owner: string, epoch: EpochId): boolean {
    if (epoch.time <= this.#host.runtime.wallClock() + MAX_DRIFT_MS) return true
    const vouched = this.#epochs.get(owner) ?? this.#host.epochOf(owner)
    return vouched !== undefined && compareEpochs(epoch, vouched) <= 0
  }

  checkOwn(row: VersionRow): void {
    if (row.owner === this.#host.self && this.#own?.conflict(row)) this.bump(row.id)
  }

  received(item: EntryItem): void {
    this.counts.applied++
    this.#host.clock.witness(item.stamp)
  }

  tookOver(): void {
    this.synced = true
  }

  #takesPart(owner: string): boolean {
    if (this.#participants.has(owner)) return true
    if (!this.#host.takesPart(owner)) return false
    this.#participants.add(owner)
    return true
  }

  #epochOpened(): void {
    const { id, log } = this.#own!
    this.#host.epochOpened(id, log.base)
    for (const item of log.live.values()) this.#broadcast(item)
  }

  /** Looks after a while whether opening snapshots have completed, and ends the shadows of those that have not. */
  #awaitSnapshots(): void {
    if (this.#shadowTimer !== undefined) return
    this.#shadowTimer = this.#host.runtime.setTimer(SHADOW_TTL_MS, () => {
      this.#shadowTimer = undefined
      for (const log of this.logs) log.dropShadow()
    })
  }

  #broadcast(item: EntryItem): void {
    const { id, log } = this.#own!
    this.#spread({
      network: this.name,
      owner: this.#host.self,
      epoch: id,
      base: log.base,
      item,
      superseded: NOTHING_SUPERSEDED,
    })
    if (this.backlogged) this.#host.offer()
  }

  /** News take the place of what waits on the same key, and stand for it. */
  #spread(event: EntryEvent, encoded?: Uint8Array): void {
    const key = `${event.owner}\u0000${event.item.key}`
    const waiting = this.queue.waiting(key)
    const writer = this.#encoder.reset()
    const start = beginMessage(writer, MESSAGE.entry)
    // With all that a later version may have written behind what is known here, as long as it fits packets.
    if (waiting === undefined && encoded !== undefined && encoded.length <= MAX_ENTRY_BYTES)
      writer.raw(encoded)
    else writeEntryEvent(writer, waiting === undefined ? event : superseding(decodeEvent(waiting), event))
    endMessage(writer, start)
    // Of what many streams carry, one round of gossip is enough.
    this.queue.put(key, this.#pool.copy(writer.view()), this.offering ? 1 : Number.POSITIVE_INFINITY)
    this.#host.announce()
  }
}

/** Of a message of this node's own queue. */
function decodeEvent(message: Uint8Array): EntryEvent {
  return readEntryEvent(new Reader(message, MESSAGE_HEADER_BYTES))
}
