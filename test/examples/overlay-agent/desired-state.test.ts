import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { desiredRows, heldRows, type Viewpoint } from '../../../examples/overlay-agent/desired-state.ts'
import { LocalEndpoints } from '../../../examples/overlay-agent/local-endpoints.ts'
import type { Address, Station } from '../../../examples/overlay-agent/tables.ts'
import { type OverlayRow, slotOf } from '../../../src/agent/overlay-rows.ts'
import type { Owned } from '../../../src/index.ts'
import { row } from '../../agent/arbitraries.ts'
import { addresses, stations } from './arbitraries.ts'

const H1: Viewpoint = { name: 'h1', vtep: '10.77.0.1' }
const MAC = '02:42:00:00:00:02'
const IP = '10.42.0.2'

const station = (vtep: string, owner: string): Map<string, Owned<Station>> =>
  new Map([[MAC, { value: { vtep }, owner }]])
const address = (owner: string, ip = IP): Map<string, Owned<Address>> =>
  new Map([[ip, { value: { mac: MAC }, owner }]])

describe('the desired state of a kernel', () => {
  it('leads to a remote endpoint: by FDB, by bridge port, and by neighbour', () => {
    expect(desiredRows(station('10.77.0.2', 'h2'), address('h2'), H1)).toEqual([
      { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
      { table: 'port', mac: MAC },
      { table: 'neighbour', ip: IP, mac: MAC },
    ])
  })

  it('answers for all addresses of a MAC, IPv4 and IPv6', () => {
    const both = new Map([...address('h2'), ...address('h2', 'fd42::2')])
    const rows = desiredRows(station('10.77.0.2', 'h2'), both, H1)
    expect(rows.map(slotOf)).toEqual([`fdb ${MAC}`, `port ${MAC}`, `neighbour ${IP}`, 'neighbour fd42::2'])
  })

  it('leads over IPv6 where the underlay is IPv6', () => {
    const rows = desiredRows(station('fd77::2', 'h2'), address('h2'), { name: 'h1', vtep: 'fd77::1' })
    expect(rows).toContainEqual({ table: 'fdb', mac: MAC, vtep: 'fd77::2' })
  })

  it('holds nothing for own endpoints', () => {
    expect(desiredRows(station('10.77.0.1', 'h1'), address('h1'), H1)).toEqual([])
  })

  it('holds nothing for an address that another host claims for a MAC that is here: it answers for itself', () => {
    expect(desiredRows(station('10.77.0.1', 'h1'), address('h2'), H1)).toEqual([])
  })

  it('does not answer for an address whose MAC nobody has', () => {
    expect(desiredRows(new Map(), address('h2'), H1)).toEqual([])
  })

  it('answers for an address whose owner is another than that of its MAC', () => {
    const rows = desiredRows(station('10.77.0.3', 'h3'), address('h2'), H1)
    expect(rows).toContainEqual({ table: 'neighbour', ip: IP, mac: MAC })
  })

  it.each([
    ['that another host places behind us, which would send frames in a circle', '10.77.0.1'],
    ['behind an IPv6 VTEP, which an IPv4 device cannot send to', 'fd77::2'],
  ])('holds nothing for a station %s', (_, vtep) => {
    expect(desiredRows(station(vtep, 'h2'), address('h2'), H1)).toEqual([])
  })

  it('never wants two rows in one slot', () => {
    fc.assert(
      fc.property(stations, addresses, (stations, addresses) => {
        const slots = desiredRows(stations, addresses, H1).map(slotOf)
        expect(new Set(slots).size).toBe(slots.length)
      }),
    )
  })

  it('answers for an address only where frames for its MAC get further', () => {
    fc.assert(
      fc.property(stations, addresses, (stations, addresses) => {
        const rows = desiredRows(stations, addresses, H1)
        const sent = new Set(rows.flatMap((each) => (each.table === 'fdb' ? [each.mac] : [])))
        for (const each of rows) expect(sent).toContain(each.mac)
      }),
    )
  })

  it('sends a MAC to the same VTEP on every host but its own, whatever the order of the entries', () => {
    fc.assert(
      fc.property(stations, addresses, (stations, addresses) => {
        const reversed = new Map([...stations].reverse())
        for (const n of [1, 2, 3, 4, 9]) {
          const viewpoint = { name: `h${n}`, vtep: `10.77.0.${n}` }
          for (const each of desiredRows(reversed, addresses, viewpoint)) {
            if (each.table === 'fdb') expect(each.vtep).toBe(stations.get(each.mac)?.value.vtep)
          }
        }
      }),
    )
  })
})

describe('the rows that are held until others are heard', () => {
  const LEFT: OverlayRow[] = [
    { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
    { table: 'port', mac: MAC },
    { table: 'neighbour', ip: IP, mac: MAC },
  ]

  it('are all that were found, while nothing is known', () => {
    expect(heldRows([], LEFT, new LocalEndpoints())).toEqual(LEFT)
  })

  it('give way to what is known better', () => {
    const moved: OverlayRow = { table: 'fdb', mac: MAC, vtep: '10.77.0.3' }
    expect(heldRows([moved], LEFT, new LocalEndpoints())).toEqual(LEFT.slice(1))
  })

  it('do not lead away from an endpoint that is here, by MAC or by IP', () => {
    const here = new LocalEndpoints()
    here.put('02:42:00:00:00:07', [IP])
    expect(heldRows([], LEFT, here)).toEqual(LEFT.slice(0, 2))
    here.put(MAC, [])
    expect(heldRows([], LEFT, here)).toEqual([])
  })

  it('stay in every slot but those that are wanted', () => {
    const rows = fc.uniqueArray(row, { selector: slotOf })
    fc.assert(
      fc.property(rows, rows, (wanted, adopted) => {
        const held = heldRows(wanted, adopted, new LocalEndpoints())
        const taken = new Set(wanted.map(slotOf))
        expect(held).toEqual(adopted.filter((row) => !taken.has(slotOf(row))))
      }),
    )
  })
})
