import { describe, expect, it } from 'vitest'
import { bridgeAddressOf, LinuxBridgeAddresses } from '../../../examples/host-gateway/bridge-address.ts'
import { readLinks, wayTo } from '../../../examples/host-gateway/links.ts'
import { type Prefix, parsePrefix } from '../../../examples/host-gateway/prefix.ts'
import type { Run } from '../../../src/agent/index.ts'

const RANGE = parsePrefix('10.42.0.0/16') as Prefix

/**
 * Prints what it is told to, by the first words of the command that it contains, and remembers what it was
 * given.
 */
class Tool {
  readonly given: string[] = []
  readonly #answers: Readonly<Record<string, unknown>>
  readonly run: Run = async (tool, args, input = '') => {
    const command = [tool, ...args].join(' ')
    this.given.push(input === '' ? command : input)
    const answer = Object.entries(this.#answers).find(([words]) => command.includes(words))?.[1]
    return answer === undefined ? '' : JSON.stringify(answer)
  }

  constructor(answers: Readonly<Record<string, unknown>>) {
    this.#answers = answers
  }
}

describe('the links of a Linux host', () => {
  it('are read for one family, and without the routes of the agent', async () => {
    const tool = new Tool({
      'address show': [{ ifname: 'eth0', addr_info: [{ local: '10.77.0.1' }] }],
      'route show table main': [
        { dst: '10.77.0.0/24', dev: 'eth0', protocol: '2' },
        { dst: '10.42.3.0/24', gateway: '10.77.0.3', protocol: '116' },
      ],
    })
    const links = await readLinks(tool.run, 4, 116)
    expect(links.addresses).toEqual([{ device: 'eth0', ip: '10.77.0.1' }])
    expect(wayTo(links, '10.77.0.3')).toEqual({ type: 'link' })
    expect(wayTo(links, '10.42.3.2')).toEqual({ type: 'none' })
    expect(tool.given.every((command) => command.startsWith('ip -4 '))).toBe(true)
  })

  it('may be none at all', async () => {
    expect(await readLinks(new Tool({}).run, 6, 116)).toEqual({ addresses: [], routes: [] })
  })
})

describe('the address of a bridge', () => {
  it('is the first of the subnet', () => {
    expect(bridgeAddressOf('10.42.3.0/24')).toBe('10.42.3.1/24')
    expect(bridgeAddressOf('fd42:0:0:3::/64')).toBe('fd42:0:0:3::1/64')
    expect(() => bridgeAddressOf('here')).toThrow(TypeError)
  })

  it('is ours where it is in the range, and all others of the bridge are left alone', async () => {
    const addresses = [
      { local: '10.42.3.1', prefixlen: 24 },
      { local: '192.0.2.1', prefixlen: 24 },
      { local: '10.42.9.9', prefixlen: 32 },
    ]
    const tool = new Tool({ 'address show dev br0': [{ addr_info: addresses }] })
    const bridge = new LinuxBridgeAddresses('br0', RANGE, tool.run)
    expect(await bridge.dump()).toEqual([{ address: '10.42.3.1/24' }, { address: '10.42.9.9/32' }])
    await bridge.remove()
    expect(tool.given.at(-1)).toBe('address del 10.42.3.1/24 dev br0\naddress del 10.42.9.9/32 dev br0\n')
  })

  it('is put after the others are removed, and over IPv6 without asking for duplicates', async () => {
    const tool = new Tool({})
    await new LinuxBridgeAddresses('br0', RANGE, tool.run).apply({
      put: [{ address: '10.42.3.1/24' }],
      remove: [{ address: '10.42.4.1/24' }],
    })
    await new LinuxBridgeAddresses('br0', parsePrefix('fd42::/48') as Prefix, tool.run).apply({
      put: [{ address: 'fd42::1/64' }],
      remove: [],
    })
    expect(tool.given).toEqual([
      'address del 10.42.4.1/24 dev br0\naddress replace 10.42.3.1/24 dev br0\n',
      'address replace fd42::1/64 dev br0 nodad\n',
    ])
  })

  it('is of a device, and of nothing that only looks like one', () => {
    expect(() => new LinuxBridgeAddresses('br0 up', RANGE, new Tool({}).run)).toThrow(TypeError)
  })
})
