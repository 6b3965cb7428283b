import type { Runtime, Timer } from '../runtime/runtime.ts'
import { Writer } from '../wire/bytes.ts'
import { PACKET_OVERHEAD_BYTES } from '../wire/limits.ts'
import type { Broadcast, BroadcastQueue } from './broadcast-queue.ts'
import type { Peer } from './peer.ts'
import { TokenBucket } from './token-bucket.ts'

/** Where news come from and who may hear them: the members of the cluster, or the participants of one network. */
export interface NewsSource {
  readonly queue: BroadcastQueue
  /** Whether peers are being told to fetch its news by stream: what gossip would say of them meanwhile, they would hear twice. */
  readonly offering: boolean
  /** How many peers there are to hear the news. */
  audience(): number
  /** How often each news is sent before it is done: λ·⌈log10(n+1)⌉. */
  transmitLimit(): number
  /** Up to `count` peers for a round; those in `preferred` first where they may hear the news. */
  pick(count: number, preferred: readonly Peer[]): Peer[]
  mayHear(peer: Peer): boolean
}

export interface GossipOptions {
  readonly gossipIntervalMs: number
  readonly gossipFanout: number
  readonly packetBytes: number
}

/** News leave this soon after they were made or heard, so that what comes together leaves together. */
const EAGER_DELAY_MS = 5
/** Eager rounds share the gossip budget: so many a second at most, and this many at once. */
const EAGER_PER_SECOND = 10
const EAGER_BURST = 3
/** Whom the first round misses, the next ones reach: where that was all there is to say, they do not wait for the tick either. */
const FOLLOW_UPS = 2
const FOLLOW_UP_MS = 30
/** A round sends no peer more than this many packets hold; a longer backlog waits for the next one, or for a sync. */
const PACKETS_PER_ROUND = 3

/**
 * Spreads news by rounds: the first ones eager, the retransmissions on the gossip tick, and any of them on packets that
 * leave anyway. While there is nothing to say, no timer runs and nothing is sent.
 */
export class Gossip {
  readonly #runtime: Runtime
  readonly #options: GossipOptions
  readonly #send: (to: string, body: Uint8Array) => void
  readonly #sources: NewsSource[] = []
  readonly #everyRound = new Set<NewsSource>()
  readonly #writer = new Writer(2048)
  readonly #eager = new TokenBucket(EAGER_PER_SECOND, EAGER_BURST)
  #eagerTimer: Timer | undefined
  #eagerAt = Number.POSITIVE_INFINITY
  /** Eager rounds still to follow the last one that had something new. */
  #followUps = 0
  #tickArmed = false
  #stopped = false
  /** Which source fills a packet first; rotates, so that none starves another. */
  #turn = 0

  constructor(runtime: Runtime, options: GossipOptions, send: (to: string, body: Uint8Array) => void) {
    this.#runtime = runtime
    this.#options = options
    this.#send = send
  }

  /** With `everyRound` it has a packet of each round, however many others have news. */
  addSource(source: NewsSource, options: { readonly everyRound?: boolean } = {}): void {
    this.#sources.push(source)
    if (options.everyRound === true) this.#everyRound.add(source)
  }

  removeSource(source: NewsSource): void {
    this.#everyRound.delete(source)
    const at = this.#sources.indexOf(source)
    if (at >= 0) this.#sources.splice(at, 1)
  }

  /** Whether news still wait to be sent, and there is somebody to hear them. */
  get busy(): boolean {
    return this.#sources.some((source) => source.queue.size > 0 && source.audience() > 0)
  }

  stop(): void {
    this.#stopped = true
  }

  /** Says that a queue has something new. */
  announce(): void {
    if (this.#stopped) return
    this.#armTick()
    this.#armEager(EAGER_DELAY_MS)
  }

  /** Sends what `write` writes in a packet of its own, filled up with news that `peer` may hear. */
  sendFilled(to: string, peer: Peer | undefined, write: (writer: Writer) => void): void {
    const writer = this.#writer.reset()
    write(writer)
    if (peer !== undefined) this.#fill(writer, peer)
    this.#send(to, writer.view())
  }

  get #budget(): number {
    return this.#options.packetBytes - PACKET_OVERHEAD_BYTES
  }

  #fill(writer: Writer, peer: Peer): void {
    const sources = this.#sources
    const first = this.#turn++
    for (let i = 0; i < sources.length; i++) {
      const source = sources[(first + i) % sources.length]!
      if (source.queue.size === 0 || !source.mayHear(peer)) continue
      const selected = source.queue.select(this.#budget - writer.length, false)
      for (const broadcast of selected) writer.raw(broadcast.bytes)
      source.queue.markSent(selected, 1, source.transmitLimit())
    }
  }

  #armEager(delayMs: number): void {
    const now = this.#runtime.now()
    const at = now + Math.max(delayMs, this.#eager.waitMs(now))
    if (at >= this.#eagerAt) return
    this.#eagerAt = at
    this.#eagerTimer?.cancel()
    this.#eagerTimer = this.#runtime.setTimer(at - now, () => {
      this.#eagerAt = Number.POSITIVE_INFINITY
      if (!this.#stopped && this.#eager.take(this.#runtime.now())) this.#eagerRound()
    })
  }

  #eagerRound(): void {
    const fresh = this.#hasFresh
    if (!fresh && this.#followUps === 0) return
    this.#followUps = fresh ? FOLLOW_UPS : this.#followUps - 1
    const hurried = this.#sources.filter(({ queue, offering }) => {
      return !offering && (fresh ? queue.hasFresh : queue.size > 0)
    })
    this.#round(hurried, fresh)
    if (this.#hasFresh) this.#armEager(EAGER_DELAY_MS)
    else if (this.#followUps > 0 && this.busy) this.#armEager(FOLLOW_UP_MS)
  }

  get #hasFresh(): boolean {
    return this.#sources.some((source) => source.queue.hasFresh && !source.offering && source.audience() > 0)
  }

  #armTick(): void {
    if (this.#tickArmed) return
    this.#tickArmed = true
    this.#runtime.setTimer(this.#options.gossipIntervalMs, () => {
      this.#tickArmed = false
      if (this.#stopped) return
      // With nobody to hear it, the news wait for the next announcement: a new peer makes one.
      const active = this.#sources.filter(({ queue }) => queue.size > 0)
      const unoffered = active.filter(({ offering }) => !offering)
      const waiting = unoffered.length < active.length
      if ((this.#round(unoffered, false) || waiting) && this.busy) this.#armTick()
    })
  }

  /** Whether anybody was sent anything. */
  #round(active: readonly NewsSource[], freshOnly: boolean): boolean {
    const loads = new Map<Peer, Broadcast[]>()
    let room = this.#budget * PACKETS_PER_ROUND
    const share = Math.max(this.#budget, room / Math.max(1, active.length))
    for (const source of this.#inTurn(active)) {
      const peers = source.pick(this.#options.gossipFanout, [...loads.keys()])
      if (peers.length === 0) continue
      const selected = source.queue.select(Math.min(share, room), freshOnly)
      source.queue.markSent(selected, peers.length, source.transmitLimit())
      for (const { bytes } of selected) room -= bytes.length
      for (const peer of peers) {
        const load = loads.get(peer)
        if (load === undefined) loads.set(peer, selected.slice())
        else load.push(...selected)
      }
    }
    for (const [peer, load] of loads) this.#sendLoad(peer, load)
    return loads.size > 0
  }

  #inTurn(sources: readonly NewsSource[]): NewsSource[] {
    const first = sources.length === 0 ? 0 : this.#turn++ % sources.length
    const rotated = [...sources.slice(first), ...sources.slice(0, first)]
    const isFirst = (source: NewsSource): boolean => this.#everyRound.has(source)
    return [...rotated.filter(isFirst), ...rotated.filter((source) => !isFirst(source))]
  }

  #sendLoad(peer: Peer, load: readonly Broadcast[]): void {
    const writer = this.#writer.reset()
    for (const { bytes } of load) {
      if (writer.length > 0 && writer.length + bytes.length > this.#budget) {
        this.#send(peer.address, writer.view())
        writer.reset()
      }
      writer.raw(bytes)
    }
    if (writer.length > 0) this.#send(peer.address, writer.view())
  }
}
