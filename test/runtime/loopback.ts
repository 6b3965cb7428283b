import { networkInterfaces } from 'node:os'
import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import type { ByteStream, StreamHandlers, Transport, TransportHandlers } from '../../src/runtime/runtime.ts'

export const hasIpv6Loopback: boolean = Object.values(networkInterfaces())
  .flat()
  .some((face) => face?.address === '::1')

/** What came in, and a way to wait for it. */
export class Recorder {
  readonly packets: { text: string; from: string }[] = []
  readonly streams: { stream: ByteStream; events: StreamEvents }[] = []
  readonly faults: unknown[] = []
  accepts = true

  readonly handlers: TransportHandlers = {
    onPacket: (packet, from) => {
      this.packets.push({ text: new TextDecoder().decode(packet), from })
    },
    onStream: (stream) => {
      const events = new StreamEvents()
      this.streams.push({ stream, events })
      return this.accepts ? events.handlers : undefined
    },
    onFault: (cause) => {
      this.faults.push(cause)
    },
  }
}

/** The events of one stream, in order, data joined. */
export class StreamEvents {
  readonly names: string[] = []
  readonly pieces: Uint8Array[] = []
  closes: (Error | undefined)[] = []
  drains = 0

  readonly handlers: StreamHandlers = {
    onOpen: () => {
      this.names.push('open')
    },
    onData: (bytes) => {
      this.pieces.push(bytes)
      if (this.names.at(-1) !== 'data') this.names.push('data')
    },
    onDrain: () => {
      this.drains++
    },
    onClose: (error) => {
      this.names.push('close')
      this.closes.push(error)
    },
  }

  get bytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  get text(): string {
    return new TextDecoder().decode(Buffer.concat(this.pieces))
  }
}

/** Resolves when the condition holds. The test's own time limit bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

export const runtime: NodeRuntime = new NodeRuntime()

const open: Transport[] = []

export async function listen(recorder: Recorder, bind = '127.0.0.1:0'): Promise<Transport> {
  const transport = await runtime.listen(bind, recorder.handlers)
  open.push(transport)
  return transport
}

export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((transport) => transport.close()))
}

export function portOf(transport: Transport): number {
  return Number(transport.address.slice(transport.address.lastIndexOf(':') + 1))
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
