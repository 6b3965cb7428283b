import { isIpv6, type OverlayRow, slotOf } from '../../src/agent/index.ts'
import type { Owned } from '../../src/index.ts'
import type { Address, Station } from './tables.ts'

/** The winners of a table, by canonical key. */
export type Winners<V> = ReadonlyMap<string, Owned<V>>

/** The host for which rows are wanted. */
export interface Viewpoint {
  /** Its member name. */
  readonly name: string
  readonly vtep: string
}

/**
 * The rows that one host's kernel should hold: for each station elsewhere an FDB row and one of the bridge,
 * for each address of such a station a neighbour row. Each table is decided by its winners and by nothing
 * else.
 *
 * Left out are its own stations, which the bridge knows, and VTEPs that this host's device cannot send to:
 * its own, and those of the other address family. An address of a station that is left out, or that nobody
 * claims, gets no row: to answer for it would send frames nowhere.
 */
export function desiredRows(
  stations: Winners<Station>,
  addresses: Winners<Address>,
  viewpoint: Viewpoint,
): OverlayRow[] {
  const rows: OverlayRow[] = []
  const remote = new Set<string>()
  for (const [mac, { value, owner }] of stations) {
    const isReachable = value.vtep !== viewpoint.vtep && isIpv6(value.vtep) === isIpv6(viewpoint.vtep)
    if (owner === viewpoint.name || !isReachable) continue
    remote.add(mac)
    rows.push({ table: 'fdb', mac, vtep: value.vtep }, { table: 'port', mac })
  }
  for (const [ip, { value }] of addresses) {
    if (remote.has(value.mac)) rows.push({ table: 'neighbour', ip, mac: value.mac })
  }
  return rows
}

/** The endpoints of this host, as far as rows may contradict them. */
export interface Here {
  hasStation(mac: string): boolean
  hasAddress(ip: string): boolean
}

/**
 * What should be there beside what is wanted while others are still to be heard: of the rows that an earlier process
 * left behind those that nothing known contradicts. So a restart in the middle of an outage, or of all agents at once,
 * tears nothing down.
 */
export function heldRows(
  wanted: readonly OverlayRow[],
  adopted: readonly OverlayRow[],
  here: Here,
): OverlayRow[] {
  const known = new Set(wanted.map(slotOf))
  return adopted.filter((row) => {
    const isHere = here.hasStation(row.mac) || (row.table === 'neighbour' && here.hasAddress(row.ip))
    return !isHere && !known.has(slotOf(row))
  })
}
