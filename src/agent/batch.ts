import type { Changes } from './kernel.ts'
import { isIpv6, parseDevice, parseIp, parseMac, parseVtep } from './node-addresses.ts'
import type { Tool } from './node-commands.ts'
import type { OverlayRow } from './overlay-rows.ts'

/** Lines for `bridge -batch -` and `ip -batch -`. */
export interface Batches {
  readonly bridge: readonly string[]
  readonly ip: readonly string[]
}

/** Lines for one tool, and the row that each of them is about. */
export interface Batch {
  readonly tool: Tool
  readonly lines: string[]
  readonly rows: OverlayRow[]
  /** How many of them, from the first on, remove something. */
  removals: number
}

/**
 * The commands that make the changes on one VXLAN device. Every address is parsed once more on its way into a
 * line, so that no text from anywhere else can become a command; throws a TypeError instead.
 */
export function toBatches(device: string, changes: Changes<OverlayRow>): Batches {
  const [bridge, ipv4, ipv6] = toRowBatches(device, changes)
  return { bridge: bridge.lines, ip: [...ipv4.lines, ...ipv6.lines] }
}

/** The same, with the rows. IPv6 may be switched off on a host, which need not trouble IPv4. */
export function toRowBatches(
  device: string,
  { put, remove }: Changes<OverlayRow>,
): readonly [bridge: Batch, ipv4: Batch, ipv6: Batch] {
  const bridge: Batch = { tool: 'bridge', lines: [], rows: [], removals: 0 }
  const ipv4: Batch = { tool: 'ip', lines: [], rows: [], removals: 0 }
  const ipv6: Batch = { tool: 'ip', lines: [], rows: [], removals: 0 }
  const batchOf = (row: OverlayRow): Batch => {
    if (row.table !== 'neighbour') return bridge
    return isIpv6(row.ip) ? ipv6 : ipv4
  }
  const dev = `dev ${checked(device, parseDevice)}`
  for (const row of remove) {
    const batch = batchOf(row)
    batch.lines.push(removal(row, dev))
    batch.rows.push(row)
    batch.removals++
  }
  for (const row of put) {
    const batch = batchOf(row)
    batch.lines.push(placement(row, dev))
    batch.rows.push(row)
  }
  return [bridge, ipv4, ipv6]
}

function removal(row: OverlayRow, dev: string): string {
  if (row.table === 'neighbour') return `neigh del ${checked(row.ip, parseIp)} ${dev}`
  if (row.table === 'port') return `fdb del ${checked(row.mac, parseMac)} ${dev} master`
  // Without `dst`: with another one than the row's, the kernel reports success and deletes nothing.
  return `fdb del ${checked(row.mac, parseMac)} ${dev} self`
}

function placement(row: OverlayRow, dev: string): string {
  const mac = checked(row.mac, parseMac)
  if (row.table === 'neighbour') {
    return `neigh replace ${checked(row.ip, parseIp)} lladdr ${mac} ${dev} nud permanent`
  }
  // Not `permanent`: on a bridge that means "deliver to this host".
  if (row.table === 'port') return `fdb replace ${mac} ${dev} master static`
  return `fdb replace ${mac} ${dev} dst ${checked(row.vtep, parseVtep)} self permanent`
}

function checked(text: string, parse: (text: string) => string | undefined): string {
  const canonical = parse(text)
  if (canonical === undefined) throw new TypeError(`not fit for a command: ${JSON.stringify(text)}`)
  return canonical
}
