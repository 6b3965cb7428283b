/**
 * Rows to be put, whatever is in their slots, and rows whose slots are to be emptied. Neither mentions a slot
 * twice.
 */
export interface Changes<Row> {
  readonly put: readonly Row[]
  readonly remove: readonly Row[]
}

/** What makes two rows rivals, and what makes them equal. */
export interface RowRules<Row> {
  /** Rows with equal slots exclude each other. */
  slotOf(row: Row): string
  same(a: Row, b: Row): boolean
}

/**
 * A set of kernel tables of which one agent owns some rows. What counts as a row and who owns it is up to the
 * implementation; the reconciler compares and nothing more.
 */
export interface Kernel<Row> extends RowRules<Row> {
  /**
   * Every row that this agent owns, and none of others. Prepares the tables first where they do not exist
   * yet.
   */
  dump(): Promise<Row[]>
  /** Applies as much as it can, and rejects if anything failed. Only the next dump tells what is there. */
  apply(changes: Changes<Row>): Promise<void>
  /** Removes every row that this agent owns, and the tables it made. Idempotent. */
  remove(): Promise<void>
  /**
   * Calls back, never from within the call, whenever somebody may have changed the tables: too often rather
   * than too seldom, this agent's own changes included. Returns how to stop. Left out where the kernel tells
   * nothing: audits find everything in the end.
   */
  watch?(onDrift: () => void): () => void
}

/** What turns the actual rows into the desired ones. A row that is right is not touched. */
export function difference<Row>(
  kernel: RowRules<Row>,
  desired: readonly Row[],
  actual: readonly Row[],
): Changes<Row> {
  const surplus = new Map(actual.map((row) => [kernel.slotOf(row), row]))
  const put: Row[] = []
  for (const row of desired) {
    const slot = kernel.slotOf(row)
    const present = surplus.get(slot)
    surplus.delete(slot)
    if (present === undefined || !kernel.same(present, row)) put.push(row)
  }
  return { put, remove: [...surplus.values()] }
}
