import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../../examples/overlay-agent/options.ts'

const KEY = { HEARSAY_KEY: 'a'.repeat(64) }

describe('the command line of the overlay agent', () => {
  it('needs a VTEP and a key to run, and chooses the rest', () => {
    expect(parseCommand(['run', '--vtep', '10.77.0.1', '--name', 'h1'], KEY)).toEqual({
      command: 'run',
      options: {
        name: 'h1',
        bind: '10.77.0.1:7946',
        seeds: [],
        keyFile: undefined,
        keys: [KEY.HEARSAY_KEY],
        insecure: false,
        vtep: '10.77.0.1',
        vxlanPort: 4789,
        withdrawAfterMs: 10_000,
        socket: '/run/hearsay-overlay.sock',
        stateDirectory: undefined,
        auditIntervalMs: 10_000,
        dryRun: false,
        stopOnEof: false,
      },
    })
  })

  it('binds to an IPv6 VTEP in brackets', () => {
    const command = parseCommand(['run', '--vtep', 'FD77::0:1'], KEY)
    expect(command).toMatchObject({ options: { vtep: 'fd77::1', bind: '[fd77::1]:7946' } })
  })

  it('takes the key file rather than a key of the environment', () => {
    const command = parseCommand(['run', '--vtep', '10.77.0.1', '--key-file', '/etc/key'], KEY)
    expect(command).toMatchObject({ options: { keyFile: '/etc/key', keys: [] } })
  })

  it('runs without a key only when told so', () => {
    const command = parseCommand(['run', '--vtep', '10.77.0.1', '--insecure'], {})
    expect(command).toMatchObject({ options: { keys: [], keyFile: undefined, insecure: true } })
  })

  it('names every fault at once', () => {
    const args = ['run', '--vtep', 'here', '--vxlan-port', '1e3', '--audit-ms', '0']
    expect(() => parseCommand(args, {})).toThrow(
      /--vtep.*--vxlan-port.*--audit-ms.*--key-file.*HEARSAY_KEY.*--insecure/,
    )
  })

  it.each([
    [['join', 'blue', '--vni', '42'], { command: 'join', network: 'blue', spec: { vni: 42 } }],
    [
      ['join', 'blue', '--vni', '42', '--bridge', 'br0', '--device', 'v1'],
      { command: 'join', network: 'blue', spec: { vni: 42, bridge: 'br0', device: 'v1' } },
    ],
    [['part', 'blue'], { command: 'part', network: 'blue' }],
    [['attach', 'blue', 'M'], { command: 'attach', network: 'blue', mac: 'M', ips: [] }],
    [['attach', 'blue', 'M', 'I', 'J'], { command: 'attach', network: 'blue', mac: 'M', ips: ['I', 'J'] }],
    [['detach', 'blue', 'M'], { command: 'detach', network: 'blue', mac: 'M' }],
    [['list'], { command: 'list', network: undefined }],
    [['list', 'blue'], { command: 'list', network: 'blue' }],
    [['status'], { command: 'status' }],
    [['down', '--state', '/s'], { command: 'down', stateDirectory: '/s' }],
  ])('understands %j', (args, expected) => {
    const json = { socket: '/x.sock', json: true }
    expect(parseCommand([...args, '--socket', '/x.sock', '--json'], {})).toEqual({ ...expected, ...json })
  })

  it('asks the socket that the environment names, unless the command line names one', () => {
    const env = { HEARSAY_SOCKET: '/env.sock' }
    expect(parseCommand(['status'], env)).toMatchObject({ socket: '/env.sock' })
    expect(parseCommand(['status', '--socket', '/arg.sock'], env)).toMatchObject({ socket: '/arg.sock' })
  })

  it.each([
    [['join', 'blue'], 'usage: overlay-agent join NETWORK --vni N'],
    [['join', 'blue', '--vni', '0'], '--vni must be a number from 1 to 16777215'],
    [['part'], 'usage: overlay-agent part NETWORK'],
    [['attach', 'blue'], 'usage: overlay-agent attach NETWORK MAC [IP]...'],
    [['detach', 'blue', 'M', 'I'], 'usage: overlay-agent detach NETWORK MAC'],
    [['list', 'a', 'b'], 'usage: overlay-agent list [NETWORK]'],
    [['status', 'x'], 'usage: overlay-agent status'],
    [['run', 'x', '--vtep', '10.0.0.1'], 'run takes no operands: x'],
    [['walk'], 'walk is no command: see --help'],
    [['--json'], 'a command is missing: see --help'],
    [['status', '--vnni', '4'], '--vnni'],
  ])('refuses %j in words that help', (args, words) => {
    expect(() => parseCommand(args, KEY)).toThrow(words)
  })

  it.each([[[]], [['--help']], [['attach', '--help']]])('explains itself when called as %j', (args) => {
    expect(parseCommand(args, {})).toEqual({ command: 'help' })
  })
})
