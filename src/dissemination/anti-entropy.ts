import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { FrameHandlers, FrameStream } from '../security/frames.ts'
import { Offers } from './offers.ts'
import type { Peer } from './peer.ts'
import { type SyncDomain, type SyncOutcome, SyncSession } from './sync-session.ts'
import { TokenBucket } from './token-bucket.ts'

export interface AntiEntropyOptions {
  /** Time between full exchanges with a random peer. */
  readonly syncIntervalMs: number
  /** A session that takes longer is cut; what it brought stays. */
  readonly syncTimeoutMs: number
}

/** What anti-entropy asks of the node that it serves. */
export interface SyncHost {
  readonly name: string
  /** What this node can bring to agreement now, in the order in which it has to be done. */
  domains(): readonly SyncDomain[]
  connect(to: string, handlers: FrameHandlers): FrameStream
  /** A random live peer; with a domain, one that has it, too. */
  randomPeer(domain?: string): Peer | undefined
  /** Whether news that would explain a difference still travel. */
  gossiping(): boolean
  /** Whether so many news of a domain wait that syncs have to help. */
  backlogged(domain: string): boolean
  /** Tells some random peers the digest of a domain that is offered. */
  tell(domain: string): void
}

/** The first byte of a stream says what it is for. */
export const STREAM_SYNC = 1

const OPENING: Uint8Array = Uint8Array.of(STREAM_SYNC)
/** A difference seen so often in a row is believed even while gossip is under way. */
const MISMATCHES_BELIEVED = 3
/** While gossip alone cannot keep up, mismatches are settled at most this often, with jitter. */
const BACKLOG_INTERVAL_MS = 300
/** State of more bytes than this is more than a round of gossip carries to one peer. */
const BULK_BYTES = 4_000
/**
 * After a session that moved so much, the next peer is asked this much later, with jitter: so that whoever has much to pass on, or may
 * still lack much, spreads it by streams, until a session finds little.
 */
const STREAM_ROUND_MS = 100
/** Such sessions in a row, at most: what differs for other reasons is left to the slower ways. */
const MOST_STREAM_ROUNDS = 16
/** A node that has just come goes on so often after any session that moved something: where many come at once, gossip misses some. */
const EARLY_ROUNDS = 3

/** Sessions begun because of offers: so many a second on average, and at once. */
const FETCHES_PER_SECOND = 4
const FETCHES_BURST = 8
/** Peers are asked for proof of an offer as often, but not so many at once, since one of them will do. */
const PROOFS_BURST = 4

export interface SyncHandle {
  /** How many frames of the other side have come. */
  readonly heard: number
  /** Ends the session at once; its outcome still comes. */
  abort(): void
}

/**
 * Decides when to compare state with whom, and runs the sessions: on demand, when a digest on a probe differs,
 * in rounds while much is on its way, and periodically.
 */
export class AntiEntropy {
  readonly #runtime: Runtime
  readonly #options: AntiEntropyOptions
  readonly #host: SyncHost
  readonly #mismatches = new Map<string, { count: number; notBefore: number }>()
  readonly #offers: Offers
  readonly #fetches = new TokenBucket(FETCHES_PER_SECOND, FETCHES_BURST)
  readonly #proofs = new TokenBucket(FETCHES_PER_SECOND, PROOFS_BURST)
  #timer: Timer | undefined
  #roundTimer: Timer | undefined
  #rounds = 0
  #earlyRounds = EARLY_ROUNDS
  #healing = false
  #stopped = false
  /** Sessions by outcome, and why they were begun. */
  readonly counts = { started: 0, completed: 0, failed: 0, accepted: 0, mismatches: 0 }

  constructor(runtime: Runtime, options: AntiEntropyOptions, host: SyncHost) {
    this.#runtime = runtime
    this.#options = options
    this.#host = host
    this.#offers = new Offers(runtime, (domain) => host.tell(domain))
  }

  start(): void {
    this.#armPeriodic()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#roundTimer?.cancel()
    this.#offers.stop()
  }

  /** Compares state, all unless told which, with the node at an address; `onEnd` comes exactly once, never from within this call. */
  sync(
    to: string,
    onEnd: (outcome: SyncOutcome) => void,
    domains: readonly SyncDomain[] = this.#host.domains(),
  ): SyncHandle {
    this.counts.started++
    const session = new SyncSession('initiator', this.#host.name, domains, (outcome) => {
      timeout.cancel()
      this.counts[outcome.ok ? 'completed' : 'failed']++
      onEnd(outcome)
      this.#goOn(outcome)
    })
    const stream = this.#host.connect(to, {
      onOpen: () => {
        stream.send(OPENING)
        session.start(stream)
      },
      ...handlersOf(session),
    })
    const timeout = this.#runtime.setTimer(this.#options.syncTimeoutMs, () => stream.destroy())
    return {
      get heard() {
        return session.heard
      },
      abort: () => stream.destroy(),
    }
  }

  /** Serves a session that a peer has begun; the opening byte was read already. */
  accept(stream: FrameStream): FrameHandlers {
    this.counts.accepted++
    const session = new SyncSession('responder', this.#host.name, this.#host.domains(), (outcome) => {
      timeout.cancel()
      this.#goOn(outcome)
    })
    const timeout = this.#runtime.setTimer(this.#options.syncTimeoutMs, () => stream.destroy())
    session.start(stream)
    return { onOpen() {}, ...handlersOf(session) }
  }

  /**
   * Takes note of whether a peer's digest of a domain equals ours. News under way explain most differences, so only a
   * difference at rest, or one that stays, starts a sync. With `prove` the digest may be an old one that somebody plays again: then `prove`
   * is called instead, to have the peer say it anew.
   */
  compare(domain: SyncDomain, equal: boolean, peer: Peer, prove?: () => void): void {
    if (equal) {
      const state = this.#mismatches.get(domain.name)
      if (state !== undefined && prove === undefined) state.count = 0
      return
    }
    const state = this.#stateOf(domain)
    state.count++
    this.counts.mismatches++
    const now = this.#runtime.now()
    if (this.#stopped || this.#healing || now < state.notBefore) return
    const backlogged = this.#host.backlogged(domain.name)
    if (state.count < MISMATCHES_BELIEVED && this.#host.gossiping() && !backlogged) return
    if (prove !== undefined) {
      prove()
      return
    }
    state.count = 0
    const intervalMs = backlogged ? BACKLOG_INTERVAL_MS : domain.mismatchIntervalMs
    state.notBefore = now + intervalMs * (0.75 + 0.5 * this.#fraction())
    this.#heal(peer)
  }

  /** What a peer has told could not be taken in singly, for want of room: the whole is fetched, as often as differences are. */
  lacking(domain: SyncDomain, peer: Peer): void {
    const state = this.#stateOf(domain)
    const now = this.#runtime.now()
    if (this.#stopped || this.#healing || now < state.notBefore) return
    state.notBefore = now + domain.mismatchIntervalMs * (0.75 + 0.5 * this.#fraction())
    this.#heal(peer)
  }

  /** More news of a domain than gossip carries well were made here: peers are to fetch them. */
  offer(domain: string): void {
    if (!this.#stopped) this.#offers.begin(domain)
  }

  /** Whether peers are being told to fetch a domain. */
  offering(domain: string): boolean {
    return this.#offers.has(domain)
  }

  /** A peer offers its state of a domain: fetched if it differs, one at a time. With `prove` it may be an old offer, as in `compare`. */
  offered(equal: boolean, peer: Peer, prove?: () => void): void {
    if (equal || this.#stopped || this.#healing) return
    const budget = prove === undefined ? this.#fetches : this.#proofs
    if (!budget.take(this.#runtime.now())) return
    if (prove === undefined) this.#heal(peer)
    else prove()
  }

  /** Forgets what was noted about a domain that this node no longer has. */
  forget(domain: string): void {
    this.#offers.forget(domain)
    this.#mismatches.delete(domain)
  }

  #stateOf({ name }: SyncDomain): { count: number; notBefore: number } {
    let state = this.#mismatches.get(name)
    if (state === undefined) {
      state = { count: 0, notBefore: Number.NEGATIVE_INFINITY }
      this.#mismatches.set(name, state)
    }
    return state
  }

  #heal(peer: Peer): void {
    this.#healing = true
    this.sync(peer.address, () => {
      this.#healing = false
    })
  }

  /** A stream round: whatever was much for this session may be news to others, too. */
  #goOn({ moved }: SyncOutcome): void {
    if (moved === undefined || (moved.bytes <= BULK_BYTES && this.#earlyRounds === 0)) {
      if (this.#roundTimer === undefined) this.#rounds = 0
      return
    }
    if (this.#stopped) return
    if (moved.bytes > BULK_BYTES && this.#isOffered(moved.domain)) {
      this.#offers.begin(moved.domain)
      return
    }
    if (this.#roundTimer !== undefined || this.#rounds >= MOST_STREAM_ROUNDS) return
    this.#rounds++
    if (this.#earlyRounds > 0) this.#earlyRounds--
    this.#roundTimer = this.#runtime.setTimer(STREAM_ROUND_MS * (0.75 + 0.5 * this.#fraction()), () => {
      this.#roundTimer = undefined
      const peer = this.#host.randomPeer(moved.domain)
      if (peer !== undefined && !this.#healing) this.#heal(peer)
    })
  }

  #isOffered(name: string): boolean {
    return this.#host.domains().some((domain) => domain.name === name && domain.offered === true)
  }

  #armPeriodic(): void {
    const delay = this.#options.syncIntervalMs * (0.75 + 0.5 * this.#fraction())
    this.#timer = this.#runtime.setTimer(delay, () => {
      if (this.#stopped) return
      const peer = this.#host.randomPeer()
      if (peer !== undefined) this.sync(peer.address, () => {})
      this.#armPeriodic()
    })
  }

  #fraction(): number {
    return this.#runtime.randomUint32() / 0x1_0000_0000
  }
}

function handlersOf(session: SyncSession): Omit<FrameHandlers, 'onOpen'> {
  return {
    onFrame: (bytes) => session.receive(bytes),
    onDrain: () => session.drained(),
    onClose: (error) => session.closed(error),
  }
}
