import { toBatches } from './batch.ts'
import type { Changes, Kernel } from './kernel.ts'
import { parseIp, parseMac } from './node-addresses.ts'
import type { Run } from './node-commands.ts'
import { type OverlayRow, overlayRules } from './overlay-rows.ts'
import type { VxlanDevice } from './vxlan-device.ts'

/** The FDB and neighbour rows of one VXLAN device, through iproute2. */
export class LinuxKernel implements Kernel<OverlayRow> {
  readonly slotOf = overlayRules.slotOf
  readonly same = overlayRules.same
  readonly #device: VxlanDevice
  readonly #run: Run

  constructor(device: VxlanDevice, run: Run) {
    this.#device = device
    this.#run = run
  }

  async dump(): Promise<OverlayRow[]> {
    await this.#device.ensure()
    return readRows(this.#device.name, this.#run)
  }

  async apply(changes: Changes<OverlayRow>): Promise<void> {
    const batches = toBatches(this.#device.name, changes)
    await Promise.all([this.#batch('bridge', batches.bridge), this.#batch('ip', batches.ip)])
  }

  async remove(): Promise<void> {
    await this.#device.remove()
  }

  async #batch(tool: 'bridge' | 'ip', lines: readonly string[]): Promise<void> {
    // With -force one bad line does not keep the others from being applied.
    if (lines.length > 0) await this.#run(tool, ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
  }
}

/** The rows of ours that a VXLAN device holds now. */
export async function readRows(device: string, run: Run): Promise<OverlayRow[]> {
  const [fdb, neighbours] = await Promise.all([
    run('bridge', ['-json', 'fdb', 'show', 'dev', device]),
    run('ip', ['-json', 'neigh', 'show', 'dev', device, 'nud', 'permanent']),
  ])
  return [...parseFdb(JSON.parse(fdb)), ...parseNeighbours(JSON.parse(neighbours))]
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Our rows in the output of `bridge -json fdb show dev X`: a unicast MAC with a destination, fixed by hand
 * (`permanent` or `static`); or `static` on the bridge. The device's own MAC, default destinations and rows
 * of other control planes (`extern_learn`) are not ours.
 */
export function parseFdb(dump: readonly Fields[]): OverlayRow[] {
  const rows: OverlayRow[] = []
  for (const { mac, dst, flags, state, master, ifname: _, ...others } of dump) {
    const marks = (flags ?? []) as string[]
    const isFixed = state === 'permanent' || state === 'static'
    if (!isFixed || typeof mac !== 'string' || !parseMac(mac) || marks.includes('extern_learn')) continue
    if (typeof dst === 'string') {
      const unusual = state === 'static' ? { ...others, state } : others
      rows.push({ table: 'fdb', mac, vtep: dst, ...oddity(unusual) })
    } else if (typeof master === 'string' && state === 'static') {
      rows.push({ table: 'port', mac })
    }
  }
  return rows
}

/** Our rows in the output of `ip -json neigh show dev X nud permanent`: those of unicast addresses. */
export function parseNeighbours(dump: readonly Fields[]): OverlayRow[] {
  const rows: OverlayRow[] = []
  for (const { dst, lladdr, state, dev: _, protocol: __, ...others } of dump) {
    const isFixed = Array.isArray(state) && state.includes('PERMANENT')
    if (!isFixed || typeof dst !== 'string' || !parseIp(dst) || 'extern_learn' in others) continue
    rows.push({ table: 'neighbour', ip: dst, mac: String(lladdr), ...oddity(others) })
  }
  return rows
}

function oddity(others: Fields): { oddity?: string } {
  const words = Object.entries(others).map(([name, value]) => `${name} ${value}`)
  return words.length === 0 ? {} : { oddity: words.join(' ') }
}
