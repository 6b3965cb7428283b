import type { Socket } from 'node:net'
import { plainBytes } from './node-bytes.ts'
import type { PendingIo } from './node-pending-io.ts'
import type { ByteStream, StreamHandlers } from './runtime.ts'

/** An ended stream on which nothing moves for this long is given up: the other side may never close its end. */
const LINGER_MS = 10_000

/** One TCP connection, whichever side opened it. */
export class NodeStream implements ByteStream {
  readonly remoteAddress: string
  /** Resolves after `onClose`, when the socket is gone. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  #handlers: StreamHandlers | undefined
  #writable = true
  #otherEnded = false
  #error: Error | undefined

  constructor(socket: Socket, remoteAddress: string, pendingIo: PendingIo) {
    this.remoteAddress = remoteAddress
    this.#socket = socket
    socket.on('connect', () => {
      pendingIo.opened()
      this.#handlers?.onOpen()
    })
    socket.on('data', (bytes: Uint8Array) => {
      pendingIo.arrived()
      this.#handlers?.onData(plainBytes(bytes))
    })
    socket.on('drain', () => this.#handlers?.onDrain())
    socket.on('end', () => {
      this.#otherEnded = true
      this.end()
    })
    socket.on('error', (error) => {
      this.#writable = false
      this.#error = error
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve()
        this.#writable = false
        this.#handlers?.onClose(...this.#closeReason())
      })
    })
  }

  /** Says whom to tell. Nobody is told of what came before; on an open socket nothing comes in the same step. */
  tell(handlers: StreamHandlers): void {
    this.#handlers = handlers
  }

  write(bytes: Uint8Array): boolean {
    // A copy, since the caller may use its buffer again while these bytes still wait here.
    return !this.#writable || this.#socket.write(new Uint8Array(bytes))
  }

  end(): void {
    if (this.#socket.destroyed) return
    this.#writable = false
    this.#socket.setTimeout(LINGER_MS, () => {
      this.#socket.destroy(new Error(`${this.remoteAddress} did not close the stream in time`))
    })
    this.#socket.end()
  }

  /**
   * Resets the connection, so that the other side does not take it for ended in good order; libuv calls it an end all
   * the same if the reset and the last data reach it in one poll. A FIN that was sent is not followed by a reset.
   */
  destroy(): void {
    if (this.#socket.destroyed) return
    this.#writable = false
    const finSent = this.#socket.writableEnded && this.#socket.writableLength === 0
    if (finSent || this.#socket.pending) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #closeReason(): [Error?] {
    if (this.#error) return [this.#error]
    return this.#otherEnded
      ? []
      : [new Error(`the stream to ${this.remoteAddress} was destroyed on this side`)]
  }
}
