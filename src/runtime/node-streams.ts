import { once } from 'node:events'
import { createServer, type Server, Socket } from 'node:net'
import { isWildcard } from './address.ts'
import type { NodeAddresses } from './node-addresses.ts'
import { isPassing } from './node-faults.ts'
import { handlesClosed } from './node-handles.ts'
import type { PendingIo } from './node-pending-io.ts'
import { NodeStream } from './node-stream.ts'
import type { ByteStream, StreamHandlers } from './runtime.ts'

const CLOSED = 'the port is closed'
const UNREACHABLE = 'it is no `ip:port`, or of a family of addresses that the port is not bound to'

export interface StreamPortHandlers {
  onStream(stream: ByteStream): StreamHandlers | undefined
  onFault(cause: unknown): void
}

/** A listening TCP socket and every stream that came in through it or went out beside it. */
export class StreamPort {
  readonly #server: Server
  readonly #localAddress: string | undefined
  readonly #addresses: NodeAddresses
  readonly #pendingIo: PendingIo
  readonly #streams = new Set<NodeStream>()
  #open = true

  /** Rejects with the platform's error, and leaves nothing open then. */
  static async bind(
    host: string,
    port: number,
    addresses: NodeAddresses,
    pendingIo: PendingIo,
  ): Promise<StreamPort> {
    const server = createServer({ noDelay: true })
    const listening = once(server, 'listening')
    server.listen({ host, port, exclusive: true })
    await listening
    return new StreamPort(server, host, addresses, pendingIo)
  }

  private constructor(server: Server, host: string, addresses: NodeAddresses, pendingIo: PendingIo) {
    this.#server = server
    this.#localAddress = isWildcard(host) ? undefined : host
    this.#addresses = addresses
    this.#pendingIo = pendingIo
  }

  /** To be called in the very step in which `bind` resolves. */
  accept(handlers: StreamPortHandlers): void {
    this.#server.on('connection', (socket: Socket) => {
      this.#pendingIo.opened()
      const from = this.#addresses.name(socket.remoteAddress ?? '', socket.remotePort ?? 0)
      const stream = this.#adopt(socket, from ?? '')
      const told = from === undefined ? undefined : handlers.onStream(stream)
      if (told === undefined) stream.destroy()
      else stream.tell(told)
    })
    this.#server.on('error', (error) => {
      if (!isPassing(error)) handlers.onFault(error)
    })
  }

  connect(to: string, handlers: StreamHandlers): ByteStream {
    const target = this.#open ? this.#addresses.target(to) : undefined
    const socket = new Socket()
    const stream = this.#adopt(socket, target?.address ?? to)
    stream.tell(handlers)
    if (target === undefined) {
      socket.destroy(new Error(`cannot open a stream to "${to}": ${this.#open ? UNREACHABLE : CLOSED}`))
    } else {
      const local = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress }
      socket.setNoDelay(true)
      socket.connect({ host: target.host, port: target.port, ...local })
    }
    return stream
  }

  async close(): Promise<void> {
    this.#open = false
    this.#server.close()
    const streams = [...this.#streams]
    for (const stream of streams) stream.destroy()
    await Promise.all(streams.map((stream) => stream.closed))
    await handlesClosed()
  }

  #adopt(socket: Socket, remoteAddress: string): NodeStream {
    const stream = new NodeStream(socket, remoteAddress, this.#pendingIo)
    this.#streams.add(stream)
    void stream.closed.then(() => this.#streams.delete(stream))
    return stream
  }
}
