import type { ByteStream } from '../../src/runtime/runtime.ts'
import { type FrameHandlers, type FrameStream, StreamError } from '../../src/security/frames.ts'
import { SecureTransport, type SecureTransportOptions } from '../../src/security/secure-transport.ts'
import { FakeNetwork } from './fake-runtime.ts'

export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
export const A = '10.0.0.1:7946'
export const B = '10.0.0.2:7946'
export const STRANGER = '10.6.6.6:4444'
export const HANDSHAKE_MS = 2000
export const IDLE_MS = 10_000
export const LIFETIME_MS = 60_000

/** Writes down what a stream tells. */
export class Ear implements FrameHandlers {
  stream: FrameStream | undefined
  readonly frames: Uint8Array[] = []
  readonly log: string[] = []
  error: Error | undefined

  onOpen(): void {
    this.log.push('open')
  }
  onFrame(frame: Uint8Array): void {
    this.frames.push(frame)
  }
  onDrain(): void {
    this.log.push('drain')
  }
  onClose(error?: Error): void {
    this.error = error
    this.log.push('close')
  }
  get fault(): string | undefined {
    return this.error instanceof StreamError ? this.error.fault : undefined
  }
}

/** Nodes on one network, A and B among them, and strangers. */
export class StreamHarness {
  readonly network: FakeNetwork = new FakeNetwork()
  readonly #started: SecureTransport[] = []

  async start(
    bind: string,
    onStream: (stream: FrameStream) => FrameHandlers | undefined,
    options: Partial<SecureTransportOptions> = {},
  ): Promise<SecureTransport> {
    const transport = await SecureTransport.start(
      this.network.runtime(this.#started.length + 1),
      {
        bind,
        label: 'blue',
        keys: [KEY],
        maxInboundStreams: 4,
        streamIdleMs: IDLE_MS,
        streamLifetimeMs: LIFETIME_MS,
        maxStreamBytes: 1_000_000,
        handshakeTimeoutMs: HANDSHAKE_MS,
        ...options,
      },
      { onPacket() {}, onStream, onFault() {} },
    )
    this.#started.push(transport)
    return transport
  }

  /** A, which refuses streams, B, and what B hears of those that come in. */
  async pair(
    options: Partial<SecureTransportOptions> = {},
  ): Promise<{ a: SecureTransport; b: SecureTransport; atB: Ear[] }> {
    const atB: Ear[] = []
    const a = await this.start(A, () => undefined, options)
    const b = await this.start(B, (stream) => listen(atB, stream), options)
    return { a, b, atB }
  }

  /** Says bytes as a stranger, and hears what is answered. */
  say(chunks: readonly Uint8Array[], to: string = B): Said {
    const said: Said = {
      heard: [],
      closed: false,
      pipe: this.network.connect(STRANGER, to, {
        onOpen() {
          for (const chunk of chunks) said.pipe.write(chunk)
        },
        onData: (chunk) => said.heard.push(chunk),
        onDrain() {},
        onClose() {
          said.closed = true
        },
      }),
    }
    return said
  }

  /** Records the chunks that A sends from now on. */
  record(): Uint8Array[] {
    const chunks: Uint8Array[] = []
    this.network.onWireChunk = (chunk, from) => {
      if (from === A) chunks.push(chunk)
      return [chunk]
    }
    return chunks
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((transport) => transport.close()))
  }
}

export interface Said {
  readonly heard: Uint8Array[]
  closed: boolean
  readonly pipe: ByteStream
}

export function listen(ears: Ear[], stream: FrameStream): Ear {
  const ear = new Ear()
  ear.stream = stream
  ears.push(ear)
  return ear
}

export function open(from: SecureTransport, to: string = B): Ear & { stream: FrameStream } {
  const ear = new Ear()
  return Object.assign(ear, { stream: from.connect(to, ear) })
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}
