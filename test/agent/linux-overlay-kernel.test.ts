import { describe, expect, it } from 'vitest'
import { parseFdb, parseNeighbours } from '../../src/agent/linux-overlay-kernel.ts'

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
