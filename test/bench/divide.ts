import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import type {
  ByteStream,
  Runtime,
  StreamHandlers,
  Timer,
  Transport,
  TransportHandlers,
} from '../../src/runtime/runtime.ts'

/** Nobody listens there. */
const NOWHERE = '127.0.0.1:1'

/** A line through real nodes of this process that lets nothing pass while it is closed. Both sides have to be given its runtimes. */
export class Divide {
  readonly #sides = new Map<string, number>()
  closed = false

  runtime(side: number): Runtime {
    return new DividedRuntime(
      (to) => this.closed && this.#sides.get(to) !== side,
      (address) => {
        this.#sides.set(address, side)
      },
    )
  }
}

class DividedRuntime implements Runtime {
  readonly #inner = new NodeRuntime()
  readonly #separated: (to: string) => boolean
  readonly #bound: (address: string) => void

  constructor(separated: (to: string) => boolean, bound: (address: string) => void) {
    this.#separated = separated
    this.#bound = bound
  }

  now(): number {
    return this.#inner.now()
  }

  wallClock(): number {
    return this.#inner.wallClock()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#inner.setTimer(delayMs, callback)
  }

  defer(callback: () => void): void {
    this.#inner.defer(callback)
  }

  afterPendingIo(callback: () => void): void {
    this.#inner.afterPendingIo(callback)
  }

  randomUint32(): number {
    return this.#inner.randomUint32()
  }

  fillRandom(bytes: Uint8Array): void {
    this.#inner.fillRandom(bytes)
  }

  resolve(host: string): Promise<string[]> {
    return this.#inner.resolve(host)
  }

  localAddresses(): readonly string[] {
    return this.#inner.localAddresses()
  }

  async listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    const transport = await this.#inner.listen(bind, handlers)
    this.#bound(transport.address)
    return {
      address: transport.address,
      send: (to, packet) => {
        if (!this.#separated(to)) transport.send(to, packet)
      },
      connect: (to: string, told: StreamHandlers): ByteStream =>
        transport.connect(this.#separated(to) ? NOWHERE : to, told),
      close: () => transport.close(),
    }
  }
}
