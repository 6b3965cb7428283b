import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { desiredRows, type Viewpoint } from '../../../examples/overlay-agent/desired-state.ts'
import type { Endpoint } from '../../../examples/overlay-agent/endpoints.ts'
import { slotOf } from '../../../src/agent/overlay-rows.ts'
import { entry } from '../../agent/arbitraries.ts'

const H1: Viewpoint = { name: 'h1', vtep: '10.77.0.1', bridged: true }
const MAC = '02:42:00:00:00:02'

type Entry = [string, { value: Endpoint; owner: string }]
const at = (ip: string, mac: string, vtep: string, owner: string): Entry => [
  ip,
  { value: { ip, mac, vtep }, owner },
]

describe('the desired state of a kernel', () => {
  it('leads to a remote container: by FDB, by bridge port, and by neighbour', () => {
    expect(desiredRows([at('10.42.0.2', MAC, '10.77.0.2', 'h2')], H1)).toEqual([
      { table: 'neighbour', ip: '10.42.0.2', mac: MAC },
      { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
      { table: 'port', mac: MAC },
    ])
  })

  it('has no bridge row where there is no bridge', () => {
    const rows = desiredRows([at('10.42.0.2', MAC, '10.77.0.2', 'h2')], { ...H1, bridged: false })
    expect(rows.map((row) => row.table)).toEqual(['neighbour', 'fdb'])
  })

  it('holds nothing for own containers', () => {
    expect(desiredRows([at('10.42.0.1', MAC, '10.77.0.1', 'h1')], H1)).toEqual([])
  })

  it.each([
    [
      'that another host places behind us, which would send frames in a circle',
      at('10.42.0.2', MAC, '10.77.0.1', 'h2'),
    ],
    ['behind an IPv6 VTEP, which an IPv4 device cannot send to', at('10.42.0.2', MAC, 'fd77::2', 'h2')],
    [
      'filed under a key that is not its IP',
      ['10.42.0.9', at('10.42.0.2', MAC, '10.77.0.2', 'h2')[1]] as Entry,
    ],
  ])('holds nothing for a container %s', (_, strange) => {
    expect(desiredRows([strange], H1)).toEqual([])
  })

  it('gives a MAC with two IPs on one host one FDB row and both neighbour rows', () => {
    const rows = desiredRows(
      [at('10.42.0.2', MAC, '10.77.0.2', 'h2'), at('fd42::2', MAC, '10.77.0.2', 'h2')],
      { ...H1, bridged: false },
    )
    expect(rows.map(slotOf)).toEqual(['neighbour 10.42.0.2', 'neighbour fd42::2', `fdb ${MAC}`])
  })

  it('sends a contested MAC to the same VTEP on every host, in whatever order entries come', () => {
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ([key]) => key }), fc.nat(), (entries, seed) => {
        const places = entries.map(([, { value }]) => value)
        const shuffled = [...entries].sort((a, b) => hash(a[0], seed) - hash(b[0], seed))
        // A viewer that is no party to any of it, and each of the parties.
        const seen = desiredRows(entries, { name: 'h9', vtep: '10.77.0.9', bridged: false })
        const vtepOf = new Map(seen.flatMap((row) => (row.table === 'fdb' ? [[row.mac, row.vtep]] : [])))
        expect(new Set(vtepOf.keys())).toEqual(new Set(places.map((place) => place.mac)))
        for (const n of [1, 2, 3, 4]) {
          // Where owners speak the truth about their own VTEP, as they do when all is well.
          const truthful = shuffled.map(
            ([key, { value }]): Entry => [key, { value, owner: `h${value.vtep.at(-1)}` }],
          )
          const rows = desiredRows(truthful, { name: `h${n}`, vtep: `10.77.0.${n}`, bridged: false })
          for (const row of rows) if (row.table === 'fdb') expect(row.vtep).toBe(vtepOf.get(row.mac))
        }
      }),
    )
  })

  it('never wants two rows in one slot', () => {
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ([key]) => key }), (entries) => {
        const slots = desiredRows(entries, H1).map(slotOf)
        expect(new Set(slots).size).toBe(slots.length)
      }),
    )
  })
})

function hash(text: string, seed: number): number {
  return [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, seed)
}
