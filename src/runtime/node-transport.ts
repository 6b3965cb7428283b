import { formatAddress } from './address.ts'
import { NodeAddresses } from './node-addresses.ts'
import { PacketPort } from './node-packets.ts'
import type { PendingIo } from './node-pending-io.ts'
import { StreamPort } from './node-streams.ts'
import type { ByteStream, StreamHandlers, Transport, TransportHandlers } from './runtime.ts'

/** UDP and TCP on one port number. */
export class NodeTransport implements Transport {
  readonly address: string
  readonly #packets: PacketPort
  readonly #streams: StreamPort
  #closing: Promise<void> | undefined

  /** Rejects with the platform's error, and leaves nothing open then. */
  static async open(
    host: string,
    port: number,
    handlers: TransportHandlers,
    pendingIo: PendingIo,
  ): Promise<NodeTransport> {
    const addresses = new NodeAddresses(host)
    const packets = await PacketPort.bind(host, port, addresses, pendingIo)
    try {
      const streams = await StreamPort.bind(host, packets.port, addresses, pendingIo)
      return new NodeTransport(host, packets, streams, handlers)
    } catch (error) {
      await packets.close()
      throw error
    }
  }

  private constructor(host: string, packets: PacketPort, streams: StreamPort, handlers: TransportHandlers) {
    this.address = formatAddress(host, packets.port)
    this.#packets = packets
    this.#streams = streams
    let faulty = false
    const onFault = (cause: unknown): void => {
      if (faulty || this.#closing) return
      faulty = true
      handlers.onFault(cause)
    }
    packets.receive({ onPacket: (packet, from) => handlers.onPacket(packet, from), onFault })
    streams.accept({ onStream: (stream) => handlers.onStream(stream), onFault })
  }

  send(to: string, packet: Uint8Array): void {
    this.#packets.send(to, packet)
  }

  connect(to: string, handlers: StreamHandlers): ByteStream {
    return this.#streams.connect(to, handlers)
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#packets.close(), this.#streams.close()]).then(() => {})
    return this.#closing
  }
}
