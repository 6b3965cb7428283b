import type { FrameStream } from '../security/frames.ts'
import { Reader, varintLength, Writer } from '../wire/bytes.ts'
import { MAX_NAME_BYTES } from '../wire/limits.ts'

/** A summary of a domain's state, two independent 32-bit halves. Equal digests: equal state. */
export interface Digest {
  readonly high: number
  readonly low: number
}

/** One thing that two nodes can bring to agreement: the members, or the state of one network. */
export interface SyncDomain {
  /** The same at both nodes. */
  readonly name: string
  /** It is synced because of a mismatch at most this often, ms. */
  readonly mismatchIntervalMs: number
  /** Bulk of it is offered to peers, who fetch it; where it is not, sessions with random peers spread it. */
  readonly offered?: boolean
  /** It is secret: named and exchanged over sealed streams only, and its frames are wiped. */
  readonly sealedOnly?: boolean
  digest(): Digest
  /** Begins an exchange with the node named. `wake` is to be called when `next` has something again after it had nothing. */
  open(role: SyncRole, wake: () => void, peer: string): SyncExchange
}

export type SyncRole = 'initiator' | 'responder'

/** One side of the exchange of one domain. Frames are pulled, so that a slow stream holds the sender back. */
export interface SyncExchange {
  /** Takes a frame of the other side; false if it is ill-formed, which ends the session. */
  receive(frame: Reader): boolean
  /** The next frame to send, if there is one now. */
  next(): Uint8Array | undefined
  /** Bytes of state that went either way, without those that it took to find out which. */
  readonly movedBytes: number
  /** Everything was sent and everything received; true from the very step that does the last of both. */
  readonly done: boolean
  /** The session has ended, finished or not. */
  close(): void
}

const FRAME_HELLO = 1
const FRAME_EXCHANGE = 2
/** What an exchange has ready travels together, until it is so much. */
const EXCHANGE_BYTES_PER_FRAME = 16_000
/** A hello names so many domains at most, which fit one frame; with more, others have their turn another time. The answer names those among them. */
const MAX_DOMAINS = 512

export interface Moved {
  readonly domain: string
  readonly bytes: number
}

export interface SyncOutcome {
  /** Every domain that both sides have is now agreed on. */
  readonly ok: boolean
  /** The other side's name, once it has said hello. */
  readonly peer: string | undefined
  /** Names of the domains that both sides have. */
  readonly common: readonly string[]
  /** The domain of which the most state was moved, and how many bytes; nothing if none was. */
  readonly moved?: Moved
  readonly error: Error | undefined
}

/**
 * One anti-entropy session over one stream. Both sides say hello with the digests of what they have; domains whose digests
 * are equal end there; the others are exchanged one after the other, in the initiator's order.
 */
export class SyncSession {
  readonly #role: SyncRole
  readonly #self: string
  #domains: readonly SyncDomain[]
  readonly #onEnd: (outcome: SyncOutcome) => void
  #stream: FrameStream | undefined
  #digests: ReadonlyMap<string, Digest> = new Map()
  #peer: string | undefined
  #common: readonly string[] = []
  /** What is still to be exchanged, the present one first. */
  #pending: SyncDomain[] = []
  #exchange: SyncExchange | undefined
  /** The domain of the present exchange. */
  #domain = ''
  /** Whether its frames are to be wiped once they are sealed or read. */
  #secret = false
  #moved: Moved | undefined
  #greeted = false
  /** The stream is full until it says that it has drained. */
  #blocked = false
  #heard = 0
  #pumping = false
  /** An exchange that is asked for a frame may say at once that it has one. */
  #moreToPump = false
  #finished = false
  #ended = false

  constructor(
    role: SyncRole,
    self: string,
    domains: readonly SyncDomain[],
    onEnd: (outcome: SyncOutcome) => void,
  ) {
    this.#role = role
    this.#self = self
    this.#domains = domains
    this.#onEnd = onEnd
  }

  /** How many frames of the other side have come. */
  get heard(): number {
    return this.#heard
  }

  /** The stream stands. */
  start(stream: FrameStream): void {
    this.#stream = stream
    if (!stream.sealed) this.#domains = this.#domains.filter(({ sealedOnly }) => sealedOnly !== true)
    if (this.#role === 'initiator') this.#sayHello()
  }

  /** Takes a frame, whose bytes are its own; ill-formed ones end the session. */
  receive(bytes: Uint8Array): void {
    if (this.#ended) return
    this.#heard++
    const frame = new Reader(bytes)
    const taken = this.#take(frame)
    if (this.#secret) bytes.fill(0)
    if (taken) this.pump()
    else this.#stream?.destroy()
  }

  /** Sends what there is to send and the stream has room for. */
  pump(): void {
    this.#moreToPump = true
    if (this.#pumping) return
    this.#pumping = true
    while (this.#moreToPump) {
      this.#moreToPump = false
      this.#pumpAll()
    }
    this.#pumping = false
  }

  /** The stream has room again. */
  drained(): void {
    this.#blocked = false
    this.pump()
  }

  /** The stream has closed. */
  closed(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#exchange?.close()
    // Only the good end of the stream says that the last frames have arrived, too.
    const ok = this.#finished && error === undefined
    const moved = this.#moved && { moved: this.#moved }
    this.#onEnd({ ok, peer: this.#peer, common: this.#common, ...moved, error })
  }

  #pumpAll(): void {
    while (!this.#ended && this.#exchange !== undefined) {
      if (this.#exchange.done) {
        this.#openNext()
        continue
      }
      if (this.#blocked) return
      const frame = this.#gather(this.#exchange)
      if (frame === undefined) return
      this.#blocked = !this.#stream!.send(frame)
      if (this.#secret) frame.fill(0)
    }
  }

  #take(frame: Reader): boolean {
    const type = frame.u8()
    if (type === FRAME_HELLO && !this.#greeted) return this.#hear(frame)
    if (type !== FRAME_EXCHANGE) return false
    do {
      const part = frame.slice(frame.varint())
      if (frame.failed || !this.#exchange?.receive(part)) return false
    } while (frame.remaining > 0)
    return true
  }

  #hear(frame: Reader): boolean {
    const peer = frame.string(MAX_NAME_BYTES)
    const count = frame.varint()
    if (count > MAX_DOMAINS) return false
    const theirs = new Map<string, Digest>()
    for (let i = 0; i < count && !frame.failed; i++) {
      theirs.set(frame.string(MAX_NAME_BYTES), { high: frame.u32(), low: frame.u32() })
    }
    if (frame.failed) return false
    this.#peer = peer
    if (this.#role === 'responder') {
      this.#domains = this.#domains.filter(({ name }) => theirs.has(name))
      this.#sayHello()
    }
    const order = this.#role === 'initiator' ? this.#digests.keys() : theirs.keys()
    this.#common = [...order].filter((name) => theirs.has(name) && this.#digests.has(name))
    for (const name of this.#common) {
      const domain = this.#domains.find((candidate) => candidate.name === name)
      if (domain !== undefined && !sameDigest(theirs.get(name)!, this.#digests.get(name)!))
        this.#pending.push(domain)
    }
    this.#greeted = true
    this.#openNext()
    return true
  }

  #sayHello(): void {
    this.#domains = this.#domains.slice(0, MAX_DOMAINS)
    this.#digests = new Map(this.#domains.map((domain) => [domain.name, domain.digest()]))
    const writer = new Writer().u8(FRAME_HELLO).string(this.#self).varint(this.#digests.size)
    for (const [name, digest] of this.#digests) writer.string(name).u32(digest.high).u32(digest.low)
    this.#stream!.send(writer.copy())
  }

  #openNext(): void {
    const bytes = this.#exchange?.movedBytes ?? 0
    if (bytes > (this.#moved?.bytes ?? 0)) this.#moved = { domain: this.#domain, bytes }
    this.#exchange?.close()
    this.#exchange = undefined
    const domain = this.#pending.shift()
    this.#secret = domain?.sealedOnly === true
    if (domain !== undefined) {
      this.#domain = domain.name
      this.#exchange = domain.open(this.#role, () => this.pump(), this.#peer ?? '')
      return
    }
    this.#finished = true
    // The responder waits for the initiator's end, so that its last frames are surely delivered.
    if (this.#role === 'initiator') this.#stream!.end()
  }

  /** As many frames of an exchange as are ready and go into one of the stream. */
  #gather(exchange: SyncExchange): Uint8Array | undefined {
    const frames: Uint8Array[] = []
    let size = 1
    while (size < EXCHANGE_BYTES_PER_FRAME) {
      const frame = exchange.next()
      if (frame === undefined) break
      frames.push(frame)
      size += varintLength(frame.length) + frame.length
    }
    if (frames.length === 0) return undefined
    const writer = new Writer(size + 8).u8(FRAME_EXCHANGE)
    for (const frame of frames) {
      writer.bytes(frame)
      if (this.#secret) frame.fill(0)
    }
    return writer.view()
  }
}

export function sameDigest(a: Digest, b: Digest): boolean {
  return a.high === b.high && a.low === b.low
}
