import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { NodeAddresses } from './node-addresses.ts'
import { plainBytes } from './node-bytes.ts'
import { isPassing } from './node-faults.ts'
import { handlesClosed } from './node-handles.ts'
import type { PendingIo } from './node-pending-io.ts'

/** Asked for in each direction, so that a stall of this process loses no packets. The kernel may grant less. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

/** Packets that even the kernel's buffer did not take wait in memory up to here; then they are lost, as on a wire. */
const MAX_QUEUED_BYTES = 1024 * 1024

export interface PacketHandlers {
  onPacket(packet: Uint8Array, from: string): void
  onFault(cause: unknown): void
}

/** A bound UDP socket. */
export class PacketPort {
  readonly port: number
  readonly #socket: Socket
  readonly #addresses: NodeAddresses
  readonly #pendingIo: PendingIo
  readonly #dual: boolean
  #handlers: PacketHandlers | undefined
  #open = true

  /** Rejects with the platform's error, and leaves nothing open then. */
  static async bind(
    host: string,
    port: number,
    addresses: NodeAddresses,
    pendingIo: PendingIo,
  ): Promise<PacketPort> {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', lookup: answerItself })
    try {
      const listening = once(socket, 'listening')
      socket.bind({ address: host, port, exclusive: true })
      await listening
    } catch (error) {
      socket.close()
      throw error
    }
    enlargeBuffers(socket)
    return new PacketPort(socket, addresses, pendingIo)
  }

  private constructor(socket: Socket, addresses: NodeAddresses, pendingIo: PendingIo) {
    const { family, port } = socket.address()
    this.port = port
    this.#socket = socket
    this.#addresses = addresses
    this.#pendingIo = pendingIo
    this.#dual = family === 'IPv6'
    socket.on('message', (packet, sender) => this.#deliver(packet, sender))
    socket.on('error', (error) => {
      if (!isPassing(error)) this.#handlers?.onFault(error)
    })
  }

  /** Packets that came before are lost. */
  receive(handlers: PacketHandlers): void {
    this.#handlers = handlers
  }

  /** Without a callback Node keeps errors of sending to itself, and allocates nothing for them. */
  send(to: string, packet: Uint8Array): void {
    const target = this.#addresses.target(to)
    if (target === undefined || !this.#open || this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES) return
    const host = this.#dual && target.family === 4 ? `::ffff:${target.host}` : target.host
    this.#socket.send(packet, target.port, host)
  }

  async close(): Promise<void> {
    this.#open = false
    this.#socket.close()
    await handlesClosed()
  }

  #deliver(packet: Uint8Array, sender: RemoteInfo): void {
    this.#pendingIo.arrived()
    const from = this.#addresses.name(sender.address, sender.port)
    if (from !== undefined) this.#handlers?.onPacket(plainBytes(packet), from)
  }
}

/** Node looks up the host of every packet, IP addresses too; here they are all IP addresses. */
function answerItself(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, host.includes(':') ? 6 : 4)
}

function enlargeBuffers(socket: Socket): void {
  for (const enlarge of [socket.setRecvBufferSize, socket.setSendBufferSize]) {
    try {
      enlarge.call(socket, SOCKET_BUFFER_BYTES)
    } catch {
      // Some platforms refuse what exceeds their maximum, where Linux grants the maximum. The default serves as well.
    }
  }
}
