import fc from 'fast-check'
import type { Winners } from '../../../examples/overlay-agent/desired-state.ts'
import type { Address, Station } from '../../../examples/overlay-agent/tables.ts'
import { ip, mac, owner, vtep } from '../../agent/arbitraries.ts'

/** The winners of `stations`, over small pools so that they meet those of `addresses`. */
export const stations: fc.Arbitrary<Winners<Station>> = fc
  .uniqueArray(fc.record({ mac, vtep, owner }), { selector: (each) => each.mac })
  .map((all) => new Map(all.map(({ mac, vtep, owner }) => [mac, { value: { vtep }, owner }])))

export const addresses: fc.Arbitrary<Winners<Address>> = fc
  .uniqueArray(fc.record({ ip, mac, owner }), { selector: (each) => each.ip })
  .map((all) => new Map(all.map(({ ip, mac, owner }) => [ip, { value: { mac }, owner }])))
