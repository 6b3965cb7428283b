import type { Changes, Kernel, RowRules } from './kernel.ts'

/** A kernel that is only remembered: for tests, dry runs and simulations. */
export class MemoryKernel<Row> implements Kernel<Row> {
  readonly slotOf: (row: Row) => string
  readonly same: (a: Row, b: Row) => boolean
  readonly #rows = new Map<string, Row>()
  readonly #watchers = new Set<() => void>()

  constructor({ slotOf, same }: RowRules<Row>) {
    this.slotOf = slotOf
    this.same = same
  }

  rows(): Row[] {
    return [...this.#rows.values()]
  }

  async dump(): Promise<Row[]> {
    return this.rows()
  }

  async apply(changes: Changes<Row>): Promise<void> {
    for (const row of changes.remove) this.#rows.delete(this.slotOf(row))
    for (const row of changes.put) this.#rows.set(this.slotOf(row), row)
  }

  async remove(): Promise<void> {
    this.#rows.clear()
  }

  watch(onDrift: () => void): () => void {
    this.#watchers.add(onDrift)
    return () => void this.#watchers.delete(onDrift)
  }

  /** Changes rows as somebody else would, and tells those who watch. */
  tamper({ put = [], remove = [] }: Partial<Changes<Row>>): void {
    for (const row of remove) this.#rows.delete(this.slotOf(row))
    for (const row of put) this.#rows.set(this.slotOf(row), row)
    this.reportDrift()
  }

  /** Says that somebody may have changed something. */
  reportDrift(): void {
    void Promise.resolve().then(() => {
      for (const onDrift of this.#watchers) onDrift()
    })
  }
}
