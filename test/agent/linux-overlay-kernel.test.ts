import { describe, expect, it } from 'vitest'
import { LinuxOverlayKernel, parseFdb, parseNeighbours } from '../../src/agent/linux-overlay-kernel.ts'
import { CommandError, type Run } from '../../src/agent/node-commands.ts'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'

const MAC = '02:42:00:00:00:02'
const SELF = { mac: MAC, dst: '10.77.0.2', flags: ['self'], state: 'permanent' }

describe('what counts as a row of ours in a dump', () => {
  it('is a unicast MAC fixed to a destination, or fixed to our port of the bridge', () => {
    expect(parseFdb([SELF, { mac: MAC, flags: [], master: 'br0', state: 'static' }])).toEqual([
      { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
      { table: 'port', mac: MAC },
    ])
  })

  it.each([
    ['the MAC of the device itself', { mac: MAC, flags: [], master: 'br0', state: 'permanent' }],
    ['what the bridge has learned', { mac: MAC, flags: [], master: 'br0', state: '' }],
    ['what the device has learned', { ...SELF, state: '' }],
    ['a default destination', { ...SELF, mac: '00:00:00:00:00:00' }],
    ['a multicast destination', { ...SELF, mac: '01:00:5e:00:00:01' }],
    ['a row of another control plane', { ...SELF, flags: ['self', 'extern_learn'] }],
  ])('is not %s', (_, line) => {
    expect(parseFdb([line])).toEqual([])
  })

  it('is marked as odd with attributes that we never write, so that it is put right', () => {
    expect(parseFdb([{ ...SELF, port: 53 }])).toEqual([
      { table: 'fdb', mac: MAC, vtep: '10.77.0.2', oddity: 'port 53' },
    ])
    expect(parseFdb([{ ...SELF, state: 'static' }])[0]).toHaveProperty('oddity', 'state static')
  })

  it('is a permanent neighbour, and not what the kernel or another control plane put there', () => {
    const ours = { dst: '10.42.0.2', lladdr: MAC, state: ['PERMANENT'] }
    const dump = [
      ours,
      { ...ours, dst: '10.42.0.3', state: ['REACHABLE'] },
      { ...ours, dst: 'ff02::1', state: ['PERMANENT'] },
      { ...ours, dst: '10.42.0.4', extern_learn: null },
    ]
    expect(parseNeighbours(dump)).toEqual([{ table: 'neighbour', ip: '10.42.0.2', mac: MAC }])
  })
})

describe('a dump', () => {
  const underlay = { ifname: 'eth0', mtu: 1500 }
  const link = (flags: readonly string[]) => ({
    ifname: 'vx42',
    ifalias: 'hearsay overlay',
    mtu: 1450,
    flags,
    linkinfo: {
      info_kind: 'vxlan',
      info_data: { id: 42, local: '10.77.0.1', port: 4789, learning: false, proxy: true },
    },
  })
  const neighbour = { dst: '10.42.0.2', lladdr: MAC, state: ['PERMANENT'] }

  /** A kernel with one device, whose tools fail as often as `failures` says. */
  const kernelWith = (flags: readonly string[], failures = 0): LinuxOverlayKernel => {
    let left = failures
    const run: Run = async (tool, args) => {
      if (tool === 'bridge') return JSON.stringify([SELF])
      const parts = [[link(flags)], [{}, underlay], [neighbour]].map((part) => JSON.stringify(part))
      if (args.includes('-batch')) {
        if (left-- > 0) throw new CommandError('ip', 'Dump was interrupted', undefined)
        return `${parts.join('\n')}\n`
      }
      return (args.includes('address') ? parts[1] : parts[0]) ?? ''
    }
    const options = { name: 'vx42', vni: 42, vtep: '10.77.0.1', port: 4789 }
    return new LinuxOverlayKernel(new VxlanDevice(options, run), run)
  }
  const ROWS = [
    { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
    { table: 'neighbour', ip: '10.42.0.2', mac: MAC },
  ]

  it('is both tables of the device', async () => {
    expect(await kernelWith(['UP']).dump()).toEqual(ROWS)
  })

  it('is read once more where it was interrupted, and fails where it is again', async () => {
    expect(await kernelWith(['UP'], 1).dump()).toEqual(ROWS)
    await expect(kernelWith(['UP'], 2).dump()).rejects.toThrow('Dump was interrupted')
  })

  it('fails while the device does not become what it should be', async () => {
    await expect(kernelWith([]).dump()).rejects.toMatchObject({ code: 'ERR_DEVICE_UNSTABLE' })
  })
})
