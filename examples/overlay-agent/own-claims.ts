import type { Table } from '../../src/index.ts'

/** What this host claims in one table. */
export class OwnClaims<V> {
  readonly #table: Table<V>
  readonly #self: string
  /** What others have claimed since an earlier process of this host did: claimed again once they let go. */
  readonly #yielded = new Map<string, V>()

  constructor(table: Table<V>, self: string) {
    this.#table = table
    this.#self = self
  }

  /**
   * Declares what an earlier process has claimed. Where its own words are still known they keep their age;
   * where they are not, nothing is taken from others. To be called once the state of the table is known.
   */
  restore(entries: Iterable<readonly [key: string, value: V]>): void {
    const declared: (readonly [string, V])[] = []
    for (const [key, value] of entries) {
      if (this.#isTaken(key)) this.#yielded.set(key, value)
      else declared.push([key, value])
    }
    this.#table.replaceOwn(declared)
  }

  /** Claims a key over all others. */
  set(key: string, value: V): void {
    this.#yielded.delete(key)
    this.#table.set(key, value)
  }

  delete(key: string): void {
    this.#yielded.delete(key)
    this.#table.delete(key)
  }

  /** Nobody has the key any more. */
  freed(key: string): void {
    const value = this.#yielded.get(key)
    if (value !== undefined) this.set(key, value)
  }

  #isTaken(key: string): boolean {
    const claims = this.#table.claims(key)
    const isKnownAsOurs = claims.some(({ owner }) => owner === this.#self)
    return !isKnownAsOurs && claims.some(({ hidden }) => !hidden)
  }
}
