import { Driver } from '../../sim/driver.ts'
import type { NetworkOptions } from '../../sim/network.ts'
import type { VirtualHost } from '../../sim/virtual-host.ts'
import type { VirtualRuntime } from '../../sim/virtual-runtime.ts'
import { VirtualWorld } from '../../sim/virtual-world.ts'
import type { ByteStream, StreamHandlers, Transport } from '../../src/runtime/runtime.ts'

/** A network without chance, for tests about order and time. */
export const EXACT: NetworkOptions = {
  latencyMs: 1,
  latencySigma: 0,
  serviceMs: 0,
  bandwidthMbps: Number.POSITIVE_INFINITY,
}

export interface ToyWorld {
  readonly world: VirtualWorld
  readonly driver: Driver
}

export function toyWorld(network: NetworkOptions = EXACT, seed = 1): ToyWorld {
  const world = new VirtualWorld({ seed, network })
  return { world, driver: new Driver(world) }
}

/** Hears everything that its port has to say. */
export interface Toy {
  readonly host: VirtualHost
  readonly runtime: VirtualRuntime
  readonly transport: Transport
  readonly address: string
  /** `from text` of each packet, or whatever a test logs. */
  readonly log: string[]
  /** Handlers for streams that come in; refuses them if missing. */
  accept: ((stream: ByteStream) => StreamHandlers | undefined) | undefined
}

export async function toy({ world, driver }: ToyWorld, name: string, bind = '0.0.0.0:7946'): Promise<Toy> {
  const host = world.host(name)
  const runtime = host.process ?? host.boot()
  const log: string[] = []
  const listening = runtime.listen(bind, {
    onPacket: (packet, from) => log.push(`${from} ${text(packet)}`),
    onStream: (stream) => made.accept?.(stream),
    onFault: (cause) => log.push(`fault ${cause}`),
  })
  const transport = await driver.settled(listening)
  const port = transport.address.slice(transport.address.lastIndexOf(':'))
  const made: Toy = { host, runtime, transport, address: `${host.ip}${port}`, log, accept: undefined }
  return made
}

/** Logs what happens to a stream as `label:event`. */
export function logging(log: string[], label: string): StreamHandlers {
  return {
    onOpen: () => log.push(`${label}:open`),
    onData: (bytes) => log.push(`${label}:${text(bytes)}`),
    onDrain: () => log.push(`${label}:drain`),
    onClose: (error) =>
      log.push(`${label}:close ${error === undefined ? 'well' : (error as { code?: string }).code}`),
  }
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}

export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content)
}
