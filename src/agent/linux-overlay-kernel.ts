import { HearsayError } from '../errors.ts'
import { type Batch, toRowBatches } from './batch.ts'
import type { Changes, Kernel } from './kernel.ts'
import { type KernelEvent, KernelMonitor } from './kernel-monitor.ts'
import { parseIp, parseMac } from './node-addresses.ts'
import type { Run } from './node-commands.ts'
import { type OverlayRow, overlayRules } from './overlay-rows.ts'
import { type RefusedRow, RefusedRowsError, runBatch } from './refused-rows.ts'
import type { VxlanDevice } from './vxlan-device.ts'

/** The FDB and neighbour rows of one VXLAN device, through iproute2. */
export class LinuxOverlayKernel implements Kernel<OverlayRow> {
  readonly slotOf: (row: OverlayRow) => string = overlayRules.slotOf
  readonly same: (a: OverlayRow, b: OverlayRow) => boolean = overlayRules.same
  readonly #device: VxlanDevice
  readonly #run: Run
  /** The MACs that lead to our port of the bridge, for all that we know. */
  readonly #portMacs = new Set<string>()

  constructor(device: VxlanDevice, run: Run) {
    this.#device = device
    this.#run = run
  }

  async dump(): Promise<OverlayRow[]> {
    // Whatever is wrong, making the device right either mends it or tells.
    const rows = (await this.#rowsIfRight().catch(() => undefined)) ?? (await this.#rowsOnceRight())
    this.#portMacs.clear()
    for (const row of rows) if (row.table === 'port') this.#portMacs.add(row.mac)
    return rows
  }

  /** Rejects with a `RefusedRowsError` that names each row that failed; the others are in place then. */
  async apply(changes: Changes<OverlayRow>): Promise<void> {
    const batches = toRowBatches(this.#device.name, changes)
    for (const row of changes.remove) if (row.table === 'port') this.#portMacs.delete(row.mac)
    for (const row of changes.put) if (row.table === 'port') this.#portMacs.add(row.mac)
    const refused = (await Promise.all(batches.map((batch) => this.#batch(batch)))).flat()
    if (refused.length > 0) throw new RefusedRowsError(refused)
  }

  async remove(): Promise<void> {
    await this.#device.remove()
  }

  watch(onDrift: () => void): () => void {
    return KernelMonitor.of(this.#run).listen({
      onEvent: (event) => {
        if (this.#device.isConcernedBy(event) || this.#isPortRowTaken(event)) onDrift()
      },
      onGap: onDrift,
    })
  }

  /** A frame from a container with this MAC, or somebody by hand, draws the bridge's row to another port. */
  #isPortRowTaken({ kind, text }: KernelEvent): boolean {
    const [, mac] = (kind === 'neighbour' && /^dev \S+ lladdr (\S+)/.exec(text)) || []
    return mac !== undefined && this.#portMacs.has(mac)
  }

  async #batch({ tool, lines, rows, removals }: Batch): Promise<RefusedRow<OverlayRow>[]> {
    const refused: RefusedRow<OverlayRow>[] = []
    for (const { index, words } of await runBatch(this.#run, tool, lines)) {
      const row = rows[index]
      const isGoneAlready = index < removals && words.includes('No such file or directory')
      if (row === undefined || isGoneAlready) continue
      refused.push({ row, code: 'ERR_COMMAND_FAILED', reason: `"${tool} ${lines[index]}": ${words}` })
    }
    return refused
  }

  async #rowsOnceRight(): Promise<OverlayRow[]> {
    await this.#device.ensure()
    const rows = await this.#rowsIfRight()
    if (rows !== undefined) return rows
    const message = `device ${this.#device.name} does not stay as it is made: somebody else changes it, too`
    throw new HearsayError('ERR_DEVICE_UNSTABLE', message)
  }

  /** All rows, if the device is as it should be; both tables and the device are read at once. */
  async #rowsIfRight(): Promise<OverlayRow[] | undefined> {
    const [state, fdb] = await Promise.all([this.#device.look(), readFdb(this.#device.name, this.#run)])
    return this.#device.isRight(state) ? [...fdb, ...parseNeighbours(state.neighbours)] : undefined
  }
}

/** The rows of ours that a VXLAN device holds now. */
export async function readRows(device: string, run: Run): Promise<OverlayRow[]> {
  const neighbours = run('ip', ['-json', 'neigh', 'show', 'dev', device, 'nud', 'permanent'])
  const [fdb, shown] = await Promise.all([readFdb(device, run), neighbours])
  return [...fdb, ...parseNeighbours(JSON.parse(shown))]
}

async function readFdb(device: string, run: Run): Promise<OverlayRow[]> {
  return parseFdb(JSON.parse(await run('bridge', ['-json', 'fdb', 'show', 'dev', device])))
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
