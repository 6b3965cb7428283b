import type { Runtime } from '../runtime/runtime.ts'
import { Writer } from '../wire/bytes.ts'
import { PACKET_OVERHEAD_BYTES } from '../wire/limits.ts'
import type { Broadcast, BroadcastQueue } from './broadcast-queue.ts'
import type { Peer } from './peer.ts'
import { TokenBucket } from './token-bucket.ts'

/** Where news come from and who may hear them: the members of the cluster, or the participants of one network. */
export interface NewsSource {
  readonly queue: BroadcastQueue
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
/** A round sends no peer more than this many packets hold; a longer backlog waits for the next one, or for a sync. */
const PACKETS_PER_ROUND = 3

/**
 * Spreads news by rounds: the first one eager, the retransmissions on the gossip tick, and any of them on packets that
 * leave anyway. While there is nothing to say, no timer runs and nothing is sent.
 */
export class Gossip {
  readonly #runtime: Runtime
  readonly #options: GossipOptions
  readonly #send: (to: string, body: Uint8Array) => void
  readonly #sources: NewsSource[] = []
  readonly #writer = new Writer(2048)
  readonly #eager = new TokenBucket(EAGER_PER_SECOND, EAGER_BURST)
  #eagerArmed = false
  #tickArmed = false
  #stopped = false
  /** Which source fills a packet first; rotates, so that none starves another. */
  #turn = 0

  constructor(runtime: Runtime, options: GossipOptions, send: (to: string, body: Uint8Array) => void) {
    this.#runtime = runtime
    this.#options = options
    this.#send = send
  }

  addSource(source: NewsSource): void {
    this.#sources.push(source)
  }

  removeSource(source: NewsSource): void {
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
    if (this.#eagerArmed || !this.#eager.take(this.#runtime.now())) return
    this.#eagerArmed = true
    this.#runtime.setTimer(EAGER_DELAY_MS, () => {
      this.#eagerArmed = false
      if (!this.#stopped) this.#round(true)
    })
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

  #armTick(): void {
    if (this.#tickArmed) return
    this.#tickArmed = true
    this.#runtime.setTimer(this.#options.gossipIntervalMs, () => {
      this.#tickArmed = false
      if (this.#stopped) return
      // With nobody to hear it, the news wait for the next announcement: a new peer makes one.
      if (this.#round(false) && this.busy) this.#armTick()
    })
  }

  /** Whether anybody was sent anything. */
  #round(freshOnly: boolean): boolean {
    const loads = new Map<Peer, Broadcast[]>()
    const active = this.#sources.filter((source) =>
      freshOnly ? source.queue.hasFresh : source.queue.size > 0,
    )
    let room = this.#budget * PACKETS_PER_ROUND
    const share = Math.max(this.#budget, room / Math.max(1, active.length))
    const first = this.#turn++
    for (let i = 0; i < active.length; i++) {
      const source = active[(first + i) % active.length]!
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
