import type {
  ByteStream,
  Runtime,
  StreamHandlers,
  Timer,
  Transport,
  TransportHandlers,
} from '../../src/runtime/runtime.ts'

/**
 * Hosts in one process, in virtual time, with somebody on every wire: what a test may do to bytes under way.
 */
export class FakeNetwork {
  /** Sees each packet; returns what arrives instead. */
  onWirePacket: (packet: Uint8Array, from: string, to: string) => Uint8Array[] = (packet) => [packet]
  /** Sees each chunk of each stream; returns what arrives instead. */
  onWireChunk: (chunk: Uint8Array, from: string, to: string) => Uint8Array[] = (chunk) => [chunk]

  /** Addresses that swallow everything. */
  readonly silent: Set<string> = new Set()
  /** Whether streams carry nothing any more, and nobody is told. */
  stalled = false
  /** What `write` answers: whether less than the high-water mark waits. */
  writesDrain = true

  readonly #hosts = new Map<string, TransportHandlers>()
  #queue: { at: number; order: number; task: () => void }[] = []
  #order = 0
  now = 1000

  runtime(seed: number): Runtime {
    const random = splitmix(seed)
    return {
      now: () => this.now,
      wallClock: () => 1_700_000_000_000 + this.now,
      setTimer: (delayMs, callback) => this.schedule(delayMs, callback),
      defer: (callback) => void this.schedule(0, callback),
      afterPendingIo: (callback) => void this.schedule(0, callback),
      randomUint32: random,
      fillRandom: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = random()
      },
      resolve: async (host) => [host],
      localAddresses: () => [],
      listen: async (bind, handlers) => this.#listen(bind, handlers),
    }
  }

  schedule(delayMs: number, task: () => void): Timer {
    const entry = { at: this.now + delayMs, order: this.#order++, task }
    this.#queue.push(entry)
    return {
      cancel: () => {
        this.#queue = this.#queue.filter((other) => other !== entry)
      },
    }
  }

  /** Runs everything due within the next `ms`. */
  run(ms = 1): void {
    const until = this.now + ms
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const next = this.#queue[0]
      if (next === undefined || next.at > until) break
      this.#queue.shift()
      this.now = Math.max(this.now, next.at)
      next.task()
    }
    this.now = until
  }

  /** Puts a packet on the wire, as anyone could. */
  inject(packet: Uint8Array, from: string, to: string): void {
    this.schedule(0, () => this.#hosts.get(to)?.onPacket(packet.slice(), from))
  }

  /** Opens a bare connection, as anyone could. */
  connect(from: string, to: string, handlers: StreamHandlers): ByteStream {
    const near = new PipeEnd(this, from, to)
    near.handlers = handlers
    this.schedule(0, () => {
      if (this.silent.has(to)) return
      const host = this.#hosts.get(to)
      if (host === undefined) return near.closed(new Error('ECONNREFUSED'))
      const far = new PipeEnd(this, to, from)
      far.peer = near
      near.peer = far
      far.handlers = host.onStream(far)
      if (far.handlers === undefined) far.destroy()
      else near.opened()
    })
    return near
  }

  #listen(bind: string, handlers: TransportHandlers): Transport {
    this.#hosts.set(bind, handlers)
    return {
      address: bind,
      send: (to, packet) => {
        for (const arriving of this.onWirePacket(packet, bind, to)) this.inject(arriving, bind, to)
      },
      connect: (to, streamHandlers) => this.connect(bind, to, streamHandlers),
      close: async () => void this.#hosts.delete(bind),
    }
  }
}

/**
 * One end of a pipe. A process that dies looks like one that ends: both send no more than an end of stream.
 */
class PipeEnd implements ByteStream {
  readonly remoteAddress: string
  readonly #network: FakeNetwork
  readonly #localAddress: string
  peer: PipeEnd | undefined
  handlers: StreamHandlers | undefined
  #open = true
  #ended = false

  constructor(network: FakeNetwork, localAddress: string, remoteAddress: string) {
    this.#network = network
    this.#localAddress = localAddress
    this.remoteAddress = remoteAddress
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#open || this.#ended) return false
    for (const chunk of this.#network.onWireChunk(bytes, this.#localAddress, this.remoteAddress)) {
      this.#toPeer((peer) => peer.arrive(chunk))
    }
    if (!this.#network.writesDrain && !this.#network.stalled) this.#network.schedule(1, () => this.drained())
    return this.#network.writesDrain
  }

  end(): void {
    if (!this.#open || this.#ended) return
    this.#ended = true
    this.#toPeer((peer) => peer.finish())
  }

  destroy(): void {
    if (!this.#open) return
    this.#open = false
    this.#network.schedule(0, () => this.handlers?.onClose())
    this.#toPeer((peer) => peer.finish())
  }

  arrive(chunk: Uint8Array): void {
    if (this.#open) this.handlers?.onData(chunk)
  }

  drained(): void {
    if (this.#open) this.handlers?.onDrain()
  }

  opened(): void {
    if (this.#open) this.handlers?.onOpen()
  }

  finish(): void {
    this.end()
    this.closed()
  }

  closed(error?: Error): void {
    if (!this.#open) return
    this.#open = false
    this.handlers?.onClose(error)
  }

  #toPeer(task: (peer: PipeEnd) => void): void {
    this.#network.schedule(0, () => {
      if (this.peer !== undefined && !this.#network.stalled) task(this.peer)
    })
  }
}

function splitmix(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}
