import type { RowRules } from './kernel.ts'

/**
 * The kernel rows that lead to one remote container:
 *
 * - `fdb`: the VXLAN device sends frames for this MAC to that VTEP.
 * - `port`: the bridge sends frames for this MAC to the VXLAN device, its port, instead of flooding them.
 * - `neighbour`: the VXLAN device, being a `proxy`, answers ARP and neighbour solicitations for this IP.
 */
export type OverlayRow =
  | { readonly table: 'fdb'; readonly mac: string; readonly vtep: string; readonly oddity?: string }
  | { readonly table: 'port'; readonly mac: string }
  | { readonly table: 'neighbour'; readonly ip: string; readonly mac: string; readonly oddity?: string }
// `oddity` is set by a dump on a row with attributes that we never write, such as another UDP port.

/** Where a row lives: the kernel holds at most one row in a slot, and `replace` puts ours there. */
export function slotOf(row: OverlayRow): string {
  return row.table === 'neighbour' ? `neighbour ${row.ip}` : `${row.table} ${row.mac}`
}

export function sameRow(a: OverlayRow, b: OverlayRow): boolean {
  if (a.table === 'fdb')
    return b.table === 'fdb' && a.mac === b.mac && a.vtep === b.vtep && a.oddity === b.oddity
  if (a.table === 'port') return b.table === 'port' && a.mac === b.mac
  return b.table === 'neighbour' && a.ip === b.ip && a.mac === b.mac && a.oddity === b.oddity
}

export const overlayRules: RowRules<OverlayRow> = { slotOf, same: sameRow }
