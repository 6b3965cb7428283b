import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toBatches, toRowBatches } from '../../src/agent/batch.ts'
import type { OverlayRow } from '../../src/agent/overlay-rows.ts'
import { ip, mac, vtep } from './arbitraries.ts'

const MAC = '02:42:00:00:00:02'
const ROWS: OverlayRow[] = [
  { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
  { table: 'port', mac: MAC },
  { table: 'neighbour', ip: 'fd42::2', mac: MAC },
]
const [MAC_WORD, IP_WORD] = ['[0-9a-f:]{17}', '[0-9a-f.:]+']
/** Every command that there is, with nothing but an address where an address belongs. */
const COMMANDS = [
  `fdb replace ${MAC_WORD} dev vx42 dst ${IP_WORD} self permanent`,
  `fdb replace ${MAC_WORD} dev vx42 master static`,
  `fdb del ${MAC_WORD} dev vx42 (self|master)`,
  `neigh replace ${IP_WORD} lladdr ${MAC_WORD} dev vx42 nud permanent`,
  `neigh del ${IP_WORD} dev vx42`,
]
const LINE = new RegExp(`^(${COMMANDS.join('|')})$`)

describe('batches', () => {
  it('put rows with replace, which takes a slot whoever holds it', () => {
    expect(toBatches('vx42', { put: ROWS, remove: [] })).toEqual({
      bridge: [
        `fdb replace ${MAC} dev vx42 dst 10.77.0.2 self permanent`,
        `fdb replace ${MAC} dev vx42 master static`,
      ],
      ip: [`neigh replace fd42::2 lladdr ${MAC} dev vx42 nud permanent`],
    })
  })

  it('empty a slot without naming what is in it: a wrong guess would succeed and delete nothing', () => {
    expect(toBatches('vx42', { put: [], remove: ROWS })).toEqual({
      bridge: [`fdb del ${MAC} dev vx42 self`, `fdb del ${MAC} dev vx42 master`],
      ip: ['neigh del fd42::2 dev vx42'],
    })
  })

  it('keep IPv4 and IPv6 neighbours apart, since a host may refuse all of the latter', () => {
    const ofIpv4: OverlayRow = { table: 'neighbour', ip: '10.42.0.2', mac: MAC }
    const batches = toRowBatches('vx42', { put: [...ROWS, ofIpv4], remove: [] })
    expect(batches.map(({ rows }) => rows)).toEqual([ROWS.slice(0, 2), [ofIpv4], ROWS.slice(2)])
  })

  it('contain one well-formed command a row, or nothing at all, whatever text is in the row', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '',
        `${MAC} dev eth0`,
        '10.0.0.1\nlink del dev eth0',
        '10.0.0.1 port 53',
        '$(reboot)',
        '#',
      ),
    )
    const field = (good: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc.oneof({ arbitrary: good, weight: 3 }, { arbitrary: hostile, weight: 1 })
    const row: fc.Arbitrary<OverlayRow> = fc.oneof(
      fc.record({ table: fc.constant('fdb' as const), mac: field(mac), vtep: field(vtep) }),
      fc.record({ table: fc.constant('port' as const), mac: field(mac) }),
      fc.record({ table: fc.constant('neighbour' as const), ip: field(ip), mac: field(mac) }),
    )
    fc.assert(
      fc.property(row, fc.constantFrom('put' as const, 'remove' as const), (row, verb) => {
        let lines: string[]
        try {
          const batches = toBatches('vx42', { put: [], remove: [], [verb]: [row] })
          lines = [...batches.bridge, ...batches.ip]
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
          return
        }
        expect(lines).toEqual([expect.stringMatching(LINE)])
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuse a device name that is more than a name', () => {
    expect(() => toBatches('vx42 master', { put: ROWS, remove: [] })).toThrow(TypeError)
  })
})
