import type { SyncHandle } from '../dissemination/anti-entropy.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { SyncOutcome } from '../dissemination/sync-session.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Owners } from './owners.ts'

/** Members asked at once who takes part, where nobody is known to. */
const SCOUTS = 2
/** While nothing comes, one participant more is asked each time that so long has passed, up to so many at once. */
const HEDGE_MS = 300
const MOST_AT_ONCE = 3

export interface TakeoverHost {
  readonly runtime: Runtime
  readonly owners: Owners
  /** The network's other participants that can be reached. */
  peers(): readonly Peer[]
  /** Compares all state with a peer. */
  sync(peer: Peer, onEnd: (outcome: SyncOutcome) => void): SyncHandle
  /** Whether a session with a peer is about to begin for another network. */
  awaits(peer: Peer): boolean
  /** Comes once, unless the takeover was ended before: whether there was somebody's state to take over, or nobody at all. */
  settled(synced: boolean): void
}

/**
 * How whoever joins a network comes by its state: it syncs with a participant, and with others if nothing comes from that one, until
 * one of them has given its own: what all of them have is to travel once. Who takes part may be news that is still under way; so
 * where nobody seems to, some other members are asked first.
 */
export class Takeover {
  readonly #network: string
  readonly #host: TakeoverHost
  readonly #timeout: Timer
  readonly #asked = new Set<string>()
  readonly #running = new Set<SyncHandle>()
  #hedge: Timer | undefined
  /** Of those running, how many are with participants, and what all had heard when that was last looked at. */
  #asking = 0
  #heard = 0
  #scouts = SCOUTS
  #ended = false

  /** Asks nobody before `start`. After `timeoutMs` it settles in any case. */
  constructor(network: string, host: TakeoverHost, timeoutMs: number) {
    this.#network = network
    this.#host = host
    this.#timeout = host.runtime.setTimer(timeoutMs, () => this.#settle(false))
  }

  start(): void {
    const atOnce = this.#host.peers().length > 0 ? 1 : SCOUTS
    for (let i = 0; i < atOnce && !this.#ended; i++) this.#askNext()
    this.#armHedge()
  }

  /** Gives up. */
  end(): void {
    this.#ended = true
    this.#timeout.cancel()
    this.#hedge?.cancel()
    for (const sync of this.#running) sync.abort()
  }

  #settle(synced: boolean): void {
    this.end()
    this.#host.settled(synced)
  }

  #askNext(): void {
    const peer = this.#nextPeer()
    if (peer === undefined) {
      if (this.#running.size > 0) return
      // Whoever takes part alone has nothing to take over; whoever is cut off does not know whether it is alone.
      if (this.#host.peers().length === 0) this.#settle(!this.#host.owners.isolated)
      // Those who have not answered may do so yet.
      else this.#asked.clear()
      return
    }
    const takesPart = this.#host.peers().includes(peer)
    if (takesPart) this.#asking++
    this.#asked.add(peer.name)
    const sync = this.#host.sync(peer, (outcome) => {
      this.#running.delete(sync)
      if (takesPart) this.#asking--
      if (this.#ended) return
      if (outcome.ok && outcome.common.includes(this.#network)) this.#settle(true)
      else if (this.#asking === 0) this.#askNext()
    })
    this.#running.add(sync)
  }

  #armHedge(): void {
    if (this.#ended) return
    this.#hedge = this.#host.runtime.setTimer(HEDGE_MS, () => {
      let heard = 0
      for (const sync of this.#running) heard += sync.heard
      if (heard <= this.#heard && this.#running.size < MOST_AT_ONCE) this.#askNext()
      this.#heard = heard
      this.#armHedge()
    })
  }

  #nextPeer(): Peer | undefined {
    const participants = this.#host.peers()
    if (participants.length > 0) return this.#oneOf(participants)
    return this.#scouts-- > 0 ? this.#oneOf(this.#host.owners.peers()) : undefined
  }

  /** One not asked yet; rather one that other networks are about to ask. */
  #oneOf(peers: readonly Peer[]): Peer | undefined {
    const { runtime } = this.#host
    const notAsked = (peer: Peer): boolean => !this.#asked.has(peer.name)
    const joint = peers.find((peer) => this.#host.awaits(peer) && notAsked(peer))
    return joint ?? sample(peers, 1, () => runtime.randomUint32(), notAsked)[0]
  }
}
