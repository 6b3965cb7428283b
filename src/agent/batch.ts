import type { Changes } from './kernel.ts'
import { parseDevice, parseIp, parseMac, parseVtep } from './node-addresses.ts'
import type { OverlayRow } from './overlay-rows.ts'

/** Lines for `bridge -batch -` and `ip -batch -`. */
export interface Batches {
  readonly bridge: readonly string[]
  readonly ip: readonly string[]
}

/**
 * The commands that make the changes on one VXLAN device. Every address is parsed once more on its way into a
 * line, so that no text from anywhere else can become a command; throws a TypeError instead.
 */
export function toBatches(device: string, { put, remove }: Changes<OverlayRow>): Batches {
  const bridge: string[] = []
  const ip: string[] = []
  const dev = `dev ${checked(device, parseDevice)}`
  for (const row of remove) {
    if (row.table === 'neighbour') ip.push(`neigh del ${checked(row.ip, parseIp)} ${dev}`)
    else if (row.table === 'port') bridge.push(`fdb del ${checked(row.mac, parseMac)} ${dev} master`)
    // Without `dst`: with another one than the row's, the kernel reports success and deletes nothing.
    else bridge.push(`fdb del ${checked(row.mac, parseMac)} ${dev} self`)
  }
  for (const row of put) {
    const mac = checked(row.mac, parseMac)
    if (row.table === 'neighbour') {
      ip.push(`neigh replace ${checked(row.ip, parseIp)} lladdr ${mac} ${dev} nud permanent`)
    } else if (row.table === 'port') {
      // Not `permanent`: on a bridge that means "deliver to this host".
      bridge.push(`fdb replace ${mac} ${dev} master static`)
    } else {
      bridge.push(`fdb replace ${mac} ${dev} dst ${checked(row.vtep, parseVtep)} self permanent`)
    }
  }
  return { bridge, ip }
}

function checked(text: string, parse: (text: string) => string | undefined): string {
  const canonical = parse(text)
  if (canonical === undefined) throw new TypeError(`not fit for a command: ${JSON.stringify(text)}`)
  return canonical
}
