import type { ByteStream, StreamHandlers, Transport, TransportHandlers } from '../../src/runtime/runtime.ts'
import { RuntimeAround } from '../runtime/around.ts'

export interface SentPacket {
  readonly to: string
  readonly bytes: Uint8Array
}

/** What the side that connected has written. */
export interface SentStream {
  readonly to: string
  readonly chunks: Uint8Array[]
}

const MOST_PACKETS = 4_000
const MOST_STREAMS = 100

/** A node's real sockets with somebody on the wire, who records what leaves, may hold it back, and forges sources. */
export class Tap extends RuntimeAround {
  #handlers: TransportHandlers | undefined
  readonly packets: SentPacket[] = []
  readonly streams: SentStream[] = []
  /** Bytes of the packets that were put in. */
  injectedBytes = 0
  /** Is shown each packet that leaves or comes by the socket. */
  sees: (direction: 'out' | 'in', packet: Uint8Array, address: string) => void = () => {}
  /** Sees each packet that is sent; true keeps it from arriving. */
  withholds: (packet: SentPacket) => boolean = () => false

  /** Puts a packet into the socket, as if from an address. */
  inject(packet: Uint8Array, from: string): void {
    this.injectedBytes += packet.length
    this.#handlers?.onPacket(packet.slice(), from)
  }

  sentTo(address: string): Uint8Array[] {
    return this.packets.filter(({ to }) => to === address).map(({ bytes }) => bytes)
  }

  async listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    const transport = await this.inner.listen(bind, {
      ...handlers,
      onPacket: (packet, from) => {
        this.sees('in', packet, from)
        handlers.onPacket(packet, from)
      },
    })
    this.#handlers = handlers
    return {
      address: transport.address,
      send: (to, bytes) => {
        const packet = { to, bytes: bytes.slice() }
        if (this.packets.push(packet) > MOST_PACKETS) this.packets.shift()
        this.sees('out', packet.bytes, to)
        if (!this.withholds(packet)) transport.send(to, bytes)
      },
      connect: (to, streamHandlers) => this.#connect(transport, to, streamHandlers),
      close: () => {
        this.#handlers = undefined
        return transport.close()
      },
    }
  }

  #connect(transport: Transport, to: string, handlers: StreamHandlers): ByteStream {
    const sent: SentStream = { to, chunks: [] }
    if (this.streams.push(sent) > MOST_STREAMS) this.streams.shift()
    const stream = transport.connect(to, handlers)
    return {
      remoteAddress: to,
      write(bytes) {
        sent.chunks.push(bytes.slice())
        return stream.write(bytes)
      },
      end: () => stream.end(),
      destroy: () => stream.destroy(),
    }
  }
}
