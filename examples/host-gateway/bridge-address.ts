import { type Changes, type Kernel, parseDevice, type RowRules, type Run } from '../../src/agent/index.ts'
import { contains, formatAddress, type Prefix, parseAddress, parsePrefix } from './prefix.ts'

/** An address of the bridge that a host's containers are attached to, with the length of their subnet. */
export interface BridgeAddress {
  readonly address: string
}

export const bridgeAddressRules: RowRules<BridgeAddress> = {
  slotOf: ({ address }) => address,
  same: (a, b) => a.address === b.address,
}

/** The first address of a subnet, which containers have as their gateway: `10.42.3.1/24`. */
export function bridgeAddressOf(subnet: string): string {
  const prefix = parsePrefix(subnet)
  if (prefix === undefined) throw new TypeError(`not a subnet: ${JSON.stringify(subnet)}`)
  return `${formatAddress(prefix, 1n)}/${prefix.length}`
}

/** The addresses of one bridge that lie in the range of the agent. All others are somebody else's. */
export class LinuxBridgeAddresses implements Kernel<BridgeAddress> {
  readonly slotOf = bridgeAddressRules.slotOf
  readonly same = bridgeAddressRules.same
  readonly #device: string
  readonly #range: Prefix
  readonly #run: Run

  constructor(device: string, range: Prefix, run: Run) {
    if (parseDevice(device) === undefined) throw new TypeError(`not a device: ${JSON.stringify(device)}`)
    this.#device = device
    this.#range = range
    this.#run = run
  }

  async dump(): Promise<BridgeAddress[]> {
    const show = [`-${this.#range.family}`, '-json', 'address', 'show', 'dev', this.#device]
    const links = JSON.parse((await this.#run('ip', show)) || '[]') as readonly {
      readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[]
    }[]
    return links
      .flatMap(({ addr_info = [] }) => addr_info)
      .filter(({ local = '' }) => {
        const address = parseAddress(local)
        return address !== undefined && contains(this.#range, address)
      })
      .map(({ local, prefixlen }) => ({ address: `${local}/${prefixlen}` }))
  }

  async apply({ put, remove }: Changes<BridgeAddress>): Promise<void> {
    const lines = [
      ...remove.map(({ address }) => `address del ${address} dev ${this.#device}`),
      // Nobody else on the bridge can have it, so there is nobody to ask.
      ...put.map(({ address }) => `address replace ${address} dev ${this.#device}${this.#nodad}`),
    ]
    if (lines.length > 0) await this.#run('ip', ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  async remove(): Promise<void> {
    await this.apply({ put: [], remove: await this.dump() })
  }

  get #nodad(): string {
    return this.#range.family === 6 ? ' nodad' : ''
  }
}
