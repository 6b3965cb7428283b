import { describe, expect, it } from 'vitest'
import { parseState } from '../../../examples/host-gateway/agent-state.ts'
import { parseCommand, type RunOptions } from '../../../examples/host-gateway/options.ts'

const NEEDED = ['run', '--range', '10.42.0.0/16', '--gateway', '10.77.0.1']
const KEY = { HEARSAY_KEY: 'k' }

function optionsOf(args: readonly string[]): RunOptions {
  const command = parseCommand(args, KEY)
  if (command.command !== 'run') throw new Error(`it is ${command.command}`)
  return command.options
}

describe('the command line of the host gateway agent', () => {
  it('needs a range, a gateway and a key', () => {
    const { pool, ...others } = optionsOf([...NEEDED, '--name', 'h1'])
    expect(String(pool)).toBe('subnet of length 24 in 10.42.0.0/16')
    expect(others).toEqual({
      gateway: '10.77.0.1',
      bridge: undefined,
      network: 'host-gateway',
      name: 'h1',
      bind: '10.77.0.1:7946',
      seeds: [],
      keyFile: undefined,
      keys: ['k'],
      insecure: false,
      socket: '/run/hearsay-host-gateway.sock',
      stateDirectory: undefined,
      enableForwarding: false,
      withdrawAfterMs: 10_000,
      reuseAfterMs: 600_000,
      protocol: 116,
      auditIntervalMs: 10_000,
      stopOnEof: false,
    })
  })

  it('gives hosts of an IPv6 range 64 bits, and binds to a gateway in brackets', () => {
    const { pool, bind } = optionsOf(['run', '--range', 'fd42::/48', '--gateway', 'fd77::1'])
    expect(pool.subnetLength).toBe(64)
    expect(bind).toBe('[fd77::1]:7946')
  })

  it('names every fault at once', () => {
    const args = ['run', '--range', '10.42.0.1/16', '--gateway', 'here', '--bridge', 'a b', '--audit-ms', '0']
    expect(() =>
      parseCommand([...args, '--protocol', '4', '--withdraw-after-ms=-1', '--reuse-after-ms', 'x'], {}),
    ).toThrow(
      /--range.*--gateway.*--bridge.*--withdraw.*--audit-ms.*HEARSAY_KEY.*--insecure.*--reuse.*--protocol/,
    )
  })

  it.each([
    ['a length that does not fit', [...NEEDED, '--subnet-length', '15'], /--subnet-length.*from 16 to 30/],
    ['a length that is no number', [...NEEDED, '--subnet-length', '1e1'], /--subnet-length/],
    ['two families', ['run', '--range', 'fd42::/48', '--gateway', '10.77.0.1'], /same address family/],
    ['an operand', [...NEEDED, 'x'], /takes no operands/],
    ['no command', ['--json'], /--help/],
    ['another command', ['join'], /join.*--help/],
  ])('refuses %s', (_, args, message) => {
    expect(() => parseCommand(args, KEY)).toThrow(message)
  })

  it('asks a running agent with no more than its socket', () => {
    const asked = { json: true, stateDirectory: undefined, protocol: 116 }
    expect(parseCommand(['status', '--json', '--socket', '/s'], {})).toEqual({
      command: 'status',
      socket: '/s',
      ...asked,
    })
    expect(parseCommand(['down', '--json'], { HEARSAY_SOCKET: '/e' })).toEqual({
      command: 'down',
      socket: '/e',
      ...asked,
    })
    expect(parseCommand(['run', '--help'], {})).toEqual({ command: 'help' })
  })
})

describe('the state of the host gateway agent', () => {
  const STATE = {
    version: 1,
    range: '10.42.0.0/16',
    subnet: '10.42.3.0/24',
    bridge: 'br0',
    peers: ['10.77.0.2:7946'],
  }

  it('is read as it was written', () => {
    expect(parseState(JSON.parse(JSON.stringify(STATE)))).toEqual(STATE)
    const { subnet: _, bridge: __, ...least } = STATE
    expect(parseState(least)).toEqual(least)
  })

  it.each([
    ['nothing', null],
    ['another version', { ...STATE, version: 2 }],
    ['a range that is none', { ...STATE, range: '10.42.0.1/16' }],
    ['a subnet that is none', { ...STATE, subnet: 7 }],
    ['a bridge with an option behind it', { ...STATE, bridge: 'br0 up' }],
    ['peers that are no list', { ...STATE, peers: 'x' }],
  ])('is refused with %s', (_, value) => {
    expect(() => parseState(value)).toThrow(TypeError)
  })
})
