import { type OverlayRow, sameRow, slotOf } from '../../src/agent/overlay-rows.ts'

interface Entry {
  readonly row: OverlayRow
  /** Put there by the kernel itself, from traffic: no dump of ours shows it. */
  readonly learned: boolean
}

/**
 * The tables of one VXLAN device, with the oddities of the real kernel's:
 *
 * - An exclusive add fails where anything is in the slot, a learned row too; a replace takes it.
 * - Deleting an FDB row with another destination than its own succeeds and deletes nothing.
 * - Deleting a neighbour ignores the MAC that was named, and takes a learned row as well.
 * - Deleting what is not there is an error.
 */
export class OverlayTables {
  readonly #entries = new Map<string, Entry>()
  /** Called after each change. */
  onChange: () => void = () => {}

  rows(): OverlayRow[] {
    return [...this.#entries.values()].filter(({ learned }) => !learned).map(({ row }) => row)
  }

  add(row: OverlayRow): void {
    if (this.#entries.has(slotOf(row))) throw new Error(`File exists: ${slotOf(row)}`)
    this.replace(row)
  }

  replace(row: OverlayRow): void {
    const before = this.#entries.get(slotOf(row))
    this.#entries.set(slotOf(row), { row, learned: false })
    if (before === undefined || before.learned || !sameRow(before.row, row)) this.onChange()
  }

  delete(row: OverlayRow): void {
    const present = this.#entries.get(slotOf(row))
    if (present === undefined) throw new Error(`No such file or directory: ${slotOf(row)}`)
    const other = row.table === 'fdb' && present.row.table === 'fdb' && row.vtep !== present.row.vtep
    if (other) return
    this.#entries.delete(slotOf(row))
    this.onChange()
  }

  /** What the kernel learns takes no slot from anybody. */
  learn(row: OverlayRow): void {
    if (!this.#entries.has(slotOf(row))) this.#entries.set(slotOf(row), { row, learned: true })
  }

  /** All learned rows age away, as they do without traffic. */
  age(): void {
    for (const [slot, { learned }] of this.#entries) if (learned) this.#entries.delete(slot)
  }

  clear(): void {
    this.#entries.clear()
    this.onChange()
  }
}
