import type { OverlayRow } from '../../src/agent/index.ts'
import { isIpv6 } from '../../src/agent/index.ts'
import type { Endpoint } from './endpoints.ts'

/** The host for which rows are wanted. */
export interface Viewpoint {
  /** Its member name. */
  readonly name: string
  readonly vtep: string
  /** Whether the VXLAN device is a port of a bridge, which then gets rows as well. */
  readonly bridged: boolean
}

/**
 * The rows that one host's kernel should hold, given the winning entries of the endpoint table.
 *
 * Left out are its own endpoints, entries filed under a key that is not their IP, and VTEPs that this host's
 * device cannot send to: its own, and those of the other address family. Two IPs may share a MAC, but the FDB
 * has one slot for it: of different VTEPs the one with the lowest IP wins, on every host alike.
 */
export function desiredRows(
  entries: Iterable<readonly [key: string, { readonly value: Endpoint; readonly owner: string }]>,
  viewpoint: Viewpoint,
): OverlayRow[] {
  const rows: OverlayRow[] = []
  const ofMac = new Map<string, Endpoint>()
  for (const [key, { value: endpoint, owner }] of entries) {
    if (key !== endpoint.ip || isIpv6(endpoint.vtep) !== isIpv6(viewpoint.vtep)) continue
    const isOwn = owner === viewpoint.name
    if (!isOwn && endpoint.vtep === viewpoint.vtep) continue
    const rival = ofMac.get(endpoint.mac)
    if (rival === undefined || endpoint.ip < rival.ip) ofMac.set(endpoint.mac, endpoint)
    if (!isOwn) rows.push({ table: 'neighbour', ip: endpoint.ip, mac: endpoint.mac })
  }
  for (const { mac, vtep } of ofMac.values()) {
    if (vtep === viewpoint.vtep) continue
    rows.push({ table: 'fdb', mac, vtep })
    if (viewpoint.bridged) rows.push({ table: 'port', mac })
  }
  return rows
}
