import type { Changes, RowRules } from './kernel.ts'

/** What should be in each slot that is not as desired: a row, or nothing. */
export type Wishes<Row> = ReadonlyMap<string, Row | undefined>

interface Believed<Row> {
  readonly row: Row
  /** The comparison in which it was met last. */
  metIn: number
}

/**
 * What the kernel is believed to hold: what the last dump showed, amended by what was applied since. It lets a
 * change be applied without a dump; it proves nothing.
 */
export class BelievedRows<Row> {
  readonly #rules: RowRules<Row>
  readonly #tried = new Map<string, Row | undefined>()
  #rows: Map<string, Believed<Row>> | undefined
  #comparisons = 0

  constructor(rules: RowRules<Row>) {
    this.#rules = rules
  }

  /** Whether anything is believed at all. */
  get known(): boolean {
    return this.#rows !== undefined
  }

  get size(): number | undefined {
    return this.#rows?.size
  }

  /** What was applied since the last dump, whatever came of it. */
  get tried(): Wishes<Row> {
    return this.#tried
  }

  /** Takes a dump over. Returns how many slots somebody else must have changed. */
  learn(dump: readonly Row[]): number {
    const before = this.#rows
    const rows = new Map<string, Believed<Row>>()
    for (const row of dump) rows.set(this.#rules.slotOf(row), { row, metIn: 0 })
    this.#rows = rows
    return before === undefined ? 0 : this.#changedByOthers(before, rows)
  }

  /** To be called once the outcome of all that was tried has been judged by a dump. */
  judged(): void {
    this.#tried.clear()
  }

  /** Of what is about to be applied. */
  trying(wishes: Wishes<Row>): void {
    for (const [slot, wish] of wishes) this.#tried.set(slot, wish)
  }

  /** Believes that this has been applied. */
  amend(wishes: Wishes<Row>): void {
    for (const [slot, wish] of wishes) {
      if (wish === undefined) this.#rows?.delete(slot)
      else this.#rows?.set(slot, { row: wish, metIn: 0 })
    }
  }

  /** After an error nothing is believed: it may have come from any line, before or after any other. */
  forget(): void {
    this.#rows = undefined
  }

  /** Where the believed rows are not the desired ones. Of two desired rows for one slot the first counts. */
  wishes(desired: readonly Row[]): Wishes<Row> {
    const rows = this.#rows ?? new Map<string, Believed<Row>>()
    const wishes = new Map<string, Row | undefined>()
    const comparison = ++this.#comparisons
    let met = 0
    for (const row of desired) {
      const slot = this.#rules.slotOf(row)
      const present = rows.get(slot)
      if (present === undefined) {
        if (!wishes.has(slot)) wishes.set(slot, row)
      } else if (present.metIn !== comparison) {
        present.metIn = comparison
        met++
        if (!this.#rules.same(present.row, row)) wishes.set(slot, row)
      }
    }
    if (met === rows.size) return wishes
    for (const [slot, { metIn }] of rows) if (metIn !== comparison) wishes.set(slot, undefined)
    return wishes
  }

  changes(wishes: Wishes<Row>): Changes<Row> {
    const put: Row[] = []
    const remove: Row[] = []
    for (const [slot, wish] of wishes) {
      const present = this.#rows?.get(slot)
      if (wish !== undefined) put.push(wish)
      else if (present !== undefined) remove.push(present.row)
    }
    return { put, remove }
  }

  #changedByOthers(
    before: ReadonlyMap<string, Believed<Row>>,
    after: ReadonlyMap<string, Believed<Row>>,
  ): number {
    let changed = 0
    for (const [slot, { row }] of before) {
      const present = after.get(slot)
      const isSame = present !== undefined && this.#rules.same(present.row, row)
      if (!isSame && !this.#tried.has(slot)) changed++
    }
    for (const slot of after.keys()) if (!before.has(slot) && !this.#tried.has(slot)) changed++
    return changed
  }
}
