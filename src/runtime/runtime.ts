/**
 * The one door between the protocol and the outside: time, timers, randomness, packets, streams, names.
 *
 * Nothing else in the core reads a clock or opens a socket. `NodeRuntime` implements it over the real ones,
 * the simulator's `VirtualRuntime` in virtual time. All callbacks are called from outside the caller's stack:
 * never synchronously from the method that was given them.
 */
export interface Runtime {
  /** Monotonic time in ms, with fractions; its zero means nothing. */
  now(): number
  /** Wall clock in ms since 1970. May jump, may be wrong. */
  wallClock(): number
  /** Calls back once, no earlier than `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back as soon as the current step is over, before any timer or packet. */
  defer(callback: () => void): void
  /**
   * Calls back once everything that had already arrived when it was asked has been delivered. A judgement about
   * silence goes through here, so that an answer that waits in the socket counts.
   */
  afterPendingIo(callback: () => void): void
  /** A uniform integer in [0, 2^32); not for secrets. */
  randomUint32(): number
  /** Fills with random bytes, fit for keys and nonces. */
  fillRandom(bytes: Uint8Array): void
  /** All IP addresses of a host name; an IP address resolves to itself. Rejects if there is none. */
  resolve(host: string): Promise<string[]>
  /** IP addresses of this host that others may reach it at, the likeliest first; may be empty. */
  localAddresses(): readonly string[]
  /**
   * Binds packets and streams to the same port number; port 0 chooses one.
   * Rejects with `ERR_BIND_FAILED` if either cannot be bound.
   */
  listen(bind: string, handlers: TransportHandlers): Promise<Transport>
  /** Without it a node cannot keep its keys in a file. */
  readonly secretFiles?: SecretFiles | undefined
}

/** Files that hold secrets. Errors are those of the platform. */
export interface SecretFiles {
  /** Reads a file, or its first `mostBytes` and one more. Rejects where there is none that can be read. */
  read(path: string, mostBytes: number): Promise<SecretFile>
  /** Writes all of a file, which only its owner can read, atomically: there is the old content or the new. */
  replace(path: string, bytes: Uint8Array): Promise<void>
}

export interface SecretFile {
  /** The receiver's, to be wiped. */
  readonly bytes: Uint8Array
  /** Whether others than its owner may read or write it. */
  readonly shared: boolean
}

export interface Timer {
  /** Idempotent, and harmless once the timer has fired. */
  cancel(): void
}

/** A bound port. Addresses are `ip:port`, IPv6 in brackets. */
export interface Transport {
  /** The address bound, with the port chosen. */
  readonly address: string
  /** Sends one packet, best effort; the bytes are the transport's from now on. Never throws. */
  send(to: string, packet: Uint8Array): void
  /** Opens a stream; `onOpen` or `onClose` tells how it went. Never throws. */
  connect(to: string, handlers: StreamHandlers): ByteStream
  /** Closes the port and every stream of it; resolves when no handle is left. Idempotent. */
  close(): Promise<void>
}

export interface TransportHandlers {
  /** The bytes are the receiver's: nobody else will change them. */
  onPacket(packet: Uint8Array, from: string): void
  /** A stream came in and is open. Returns what it tells its events to, or nothing to refuse it. */
  onStream(stream: ByteStream): StreamHandlers | undefined
  /** The port has failed for good. */
  onFault(cause: unknown): void
}

/** A reliable, ordered stream of bytes, without message boundaries. */
export interface ByteStream {
  /** Where the other end is, `ip:port`. */
  readonly remoteAddress: string
  /** Sends; false says that more than the high-water mark waits, and `onDrain` will come. Ignored when closed. */
  write(bytes: Uint8Array): boolean
  /** Sends what waits, then closes. */
  end(): void
  /** Drops what waits and closes at once; `onClose` still comes. */
  destroy(): void
}

export interface StreamHandlers {
  /** The connection stands (streams of `connect` only). */
  onOpen(): void
  onData(bytes: Uint8Array): void
  onDrain(): void
  /** Comes exactly once, last. `error` is missing when the other side ended the stream in good order. */
  onClose(error?: Error): void
}
