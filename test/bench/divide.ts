import type {
  ByteStream,
  Runtime,
  StreamHandlers,
  Transport,
  TransportHandlers,
} from '../../src/runtime/runtime.ts'
import { RuntimeAround } from '../runtime/around.ts'

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

class DividedRuntime extends RuntimeAround {
  readonly #separated: (to: string) => boolean
  readonly #bound: (address: string) => void

  constructor(separated: (to: string) => boolean, bound: (address: string) => void) {
    super()
    this.#separated = separated
    this.#bound = bound
  }

  async listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    const transport = await this.inner.listen(bind, handlers)
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
