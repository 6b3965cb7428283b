import type { ByteStream, StreamHandlers, Transport, TransportHandlers } from '../src/runtime/runtime.ts'
import { finish, mixBytes } from '../src/wire/mix.ts'
import { IoEvent } from './io-event.ts'
import { TRACED } from './trace.ts'
import type { VirtualHost } from './virtual-host.ts'
import type { VirtualRuntime } from './virtual-runtime.ts'
import { VirtualStream } from './virtual-stream.ts'
import type { Endpoint, VirtualWorld } from './virtual-world.ts'

/** What a kernel charges to the receive buffer for a packet besides its payload. */
const BUFFER_BYTES_PER_PACKET = 512

/** A bound port of a process: packets, and the streams opened from here and accepted here. */
export class VirtualPort implements Transport {
  readonly address: string
  readonly process: VirtualRuntime
  readonly handlers: TransportHandlers
  readonly endpoint: Endpoint
  readonly streams: Set<VirtualStream> = new Set()
  readonly #world: VirtualWorld
  readonly #host: VirtualHost
  #closed: Promise<void> | undefined

  constructor(process: VirtualRuntime, endpoint: Endpoint, address: string, handlers: TransportHandlers) {
    this.process = process
    this.endpoint = endpoint
    this.address = address
    this.handlers = handlers
    this.#host = process.host
    this.#world = process.host.world
  }

  get open(): boolean {
    return this.endpoint.port === this
  }

  send(to: string, packet: Uint8Array): void {
    if (!this.open) return
    const traffic = this.#host.traffic
    const network = this.#world.network
    traffic.packetsSent++
    traffic.bytesSent += packet.length
    if (packet.length > network.mtuBytes) {
      traffic.packetsTooLarge++
      return
    }
    const target = this.#world.endpoint(to)
    if (target === undefined) {
      traffic.packetsUndeliverable++
      return
    }
    const now = this.#world.now
    if (network.uplinkFull(now, this.#host)) {
      traffic.packetsOverflowed++
      return
    }
    const arrival = network.arrival(now, this.#host, target.host, packet.length)
    if (network.blocked(this.#host, target.host) || network.lost(this.#host, target.host)) {
      traffic.packetsLost++
      return
    }
    const copy = network.duplicated() ? packet.slice() : undefined
    this.#carry(target, packet, arrival)
    if (copy !== undefined) this.#carry(target, copy, now + network.latency(this.#host, target.host))
  }

  connect(to: string, handlers: StreamHandlers): ByteStream {
    const stream = new VirtualStream(this, to, handlers)
    if (this.open) {
      this.#host.traffic.streamsOpened++
      this.streams.add(stream)
      stream.connect()
    } else {
      stream.destroy()
    }
    return stream
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      if (this.open) this.endpoint.port = undefined
      for (const stream of this.streams) stream.destroy()
      this.process.afterPendingIo(() => {
        this.process.released(this)
        this.#world.yieldWanted = true
        resolve()
      })
    })
    return this.#closed
  }

  #carry(target: Endpoint, packet: Uint8Array, arrival: number): void {
    const { network } = this.#world
    if (network.corrupts(packet)) this.#host.traffic.packetsCorrupted++
    this.#world.schedule(arrival + network.holdUpMs(), new PacketArrival(this.endpoint, target, packet))
  }

  /** The process died: the kernel closes the port, and tells the other ends of its streams unless it died too. */
  abandon(tellPeers: boolean): void {
    if (this.open) this.endpoint.port = undefined
    for (const stream of this.streams) stream.abandon(tellPeers)
    this.streams.clear()
  }
}

class PacketArrival extends IoEvent {
  readonly #from: Endpoint
  readonly #to: Endpoint
  readonly #packet: Uint8Array

  constructor(from: Endpoint, to: Endpoint, packet: Uint8Array) {
    super()
    this.#from = from
    this.#to = to
    this.#packet = packet
  }

  get bufferBytes(): number {
    return this.#packet.length + BUFFER_BYTES_PER_PACKET
  }

  fire(): void {
    const port = this.#to.port
    if (port === undefined) this.drop()
    else port.process.receive(this)
  }

  deliver(): void {
    const port = this.#to.port
    if (port === undefined) {
      this.drop()
      return
    }
    const packet = this.#packet
    const { host } = this.#to
    host.traffic.packetsReceived++
    host.traffic.bytesReceived += packet.length
    const hash = finish(mixBytes(0, packet))
    host.world.tap?.(host, packet)
    host.world.record(TRACED.packet, this.#from.host.index, host.index, packet.length, hash)
    port.handlers.onPacket(packet, this.#from.address)
  }

  drop(): void {
    this.#from.host.traffic.packetsUndeliverable++
  }
}
