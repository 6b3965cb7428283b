import { describe, expect, it } from 'vitest'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'
import { checkedOptions, creationBatch, overlayMtu, type VxlanOptions } from '../../src/agent/vxlan-link.ts'

const OPTIONS: VxlanOptions = { name: 'vx42', vni: 42, vtep: 'fd77::1', port: 4789, bridge: 'br0' }

describe('a VXLAN device', () => {
  it('leaves room for its headers, and more of it over IPv6', () => {
    expect(overlayMtu(1500, '10.77.0.1')).toBe(1450)
    expect(overlayMtu(1500, 'fd77::1')).toBe(1430)
    expect(creationBatch(OPTIONS, 9000)[0]).toContain('mtu 8930 ')
  })

  it('takes its options in any spelling', () => {
    expect(checkedOptions({ ...OPTIONS, vtep: 'FD77:0:0:0:0:0:0:1' })).toEqual(OPTIONS)
    const { bridge: _, ...alone } = OPTIONS
    expect(checkedOptions(alone)).toEqual(alone)
  })

  it.each<Partial<VxlanOptions>>([
    { name: 'vx42 type dummy' },
    { vni: 0 },
    { vni: 2 ** 24 },
    { vni: 4.2 },
    { vtep: '10.77.0.1\nlink del dev eth0' },
    { vtep: 'fe80::1' },
    { port: 0 },
    { port: 65_536 },
    { bridge: '' },
  ])('refuses %j', (wrong) => {
    const make = () => new VxlanDevice({ ...OPTIONS, ...wrong }, async () => '')
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
  })
})
