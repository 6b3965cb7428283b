import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../../examples/overlay-agent/options.ts'

const KEY = { HEARSAY_KEY: 'a'.repeat(64) }
const NEEDED = ['--network', 'blue', '--vni', '42', '--vtep', '10.77.0.1']

describe('the command line of the overlay agent', () => {
  it('needs a network, a VNI, a VTEP and a key, and chooses the rest', () => {
    expect(parseOptions([...NEEDED, '--name', 'h1'], KEY)).toEqual({
      name: 'h1',
      bind: '10.77.0.1:7946',
      seeds: [],
      keys: [KEY.HEARSAY_KEY],
      insecure: false,
      network: 'blue',
      vni: 42,
      vtep: '10.77.0.1',
      vxlanPort: 4789,
      device: 'vx42',
      bridge: undefined,
      endpoints: [],
      auditIntervalMs: 10_000,
      dryRun: false,
      stopOnEof: false,
    })
  })

  it('takes endpoints in the spelling of the kernel', () => {
    const options = parseOptions([...NEEDED, '--endpoint', 'FD42::0:1=02:42:0A:2A:00:01'], KEY)
    expect(options?.endpoints).toEqual([{ ip: 'fd42::1', mac: '02:42:0a:2a:00:01' }])
  })

  it('binds to an IPv6 VTEP in brackets', () => {
    expect(parseOptions(['--network', 'b', '--vni', '1', '--vtep', 'fd77::1'], KEY)?.bind).toBe(
      '[fd77::1]:7946',
    )
  })

  it('names every fault at once', () => {
    const args = [
      '--vni',
      '0',
      '--vtep',
      'here',
      '--vxlan-port',
      '1e3',
      '--audit-ms',
      '0',
      '--bridge',
      'a b',
      '--endpoint',
      '10.0.0.1',
    ]
    expect(() => parseOptions(args, {})).toThrow(
      /--network.*--vni.*--vtep.*--vxlan-port.*--audit-ms.*--endpoint.*--bridge.*HEARSAY_KEY.*--insecure/,
    )
  })

  it('runs without a key only when told so', () => {
    expect(parseOptions([...NEEDED, '--insecure'], {})).toMatchObject({ keys: [], insecure: true })
  })

  it('answers a call for help before anything else', () => {
    expect(parseOptions(['--help'], {})).toBeUndefined()
  })
})
