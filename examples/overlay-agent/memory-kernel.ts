import { toBatches } from './batch.ts'
import type { Changes, Kernel } from './kernel.ts'
import { type OverlayRow, sameRow, slotOf } from './overlay-rows.ts'

/** A kernel that is only remembered. It refuses what cannot be written as commands, as the real one would. */
export class MemoryKernel implements Kernel<OverlayRow> {
  readonly #device: string
  readonly #rows = new Map<string, OverlayRow>()

  constructor(device: string) {
    this.#device = device
  }

  slotOf(row: OverlayRow): string {
    return slotOf(row)
  }

  same(a: OverlayRow, b: OverlayRow): boolean {
    return sameRow(a, b)
  }

  rows(): OverlayRow[] {
    return [...this.#rows.values()]
  }

  async dump(): Promise<OverlayRow[]> {
    return this.rows()
  }

  async apply(changes: Changes<OverlayRow>): Promise<void> {
    toBatches(this.#device, changes)
    for (const row of changes.remove) this.#rows.delete(slotOf(row))
    for (const row of changes.put) this.#rows.set(slotOf(row), row)
  }

  async remove(): Promise<void> {
    this.#rows.clear()
  }
}
