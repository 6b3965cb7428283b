import { type OverlayRow, sameRow } from '../../src/agent/overlay-rows.ts'
import type { Replica } from '../../src/network-state/replica.ts'
import { OverlayTables } from './overlay-tables.ts'

const decoder = new TextDecoder()

/**
 * What an edge-triggered agent makes of the same news, as Docker's overlay driver does: it adds rows when it hears that
 * somebody has an endpoint and removes them when it hears that they have it no longer, one event after the other, and
 * never looks at the kernel. Its kernel has no faults at all.
 */
export class EdgeDriver {
  readonly tables: OverlayTables = new OverlayTables()
  readonly #self: string
  /** By key, then owner. */
  readonly #heard = new Map<string, ReadonlyMap<string, readonly OverlayRow[]>>()

  constructor(self: string) {
    this.#self = self
  }

  follow(replica: Replica): void {
    for (const table of ['stations', 'addresses']) {
      replica.view.watch(table, (key) => this.#hear(replica, table, key))
    }
  }

  #hear(replica: Replica, table: string, key: string): void {
    const before = this.#heard.get(key) ?? new Map<string, OverlayRow[]>()
    const now = new Map<string, OverlayRow[]>()
    for (const { owner, item, hidden } of replica.view.claims(key)) {
      if (hidden || owner === this.#self) continue
      now.set(owner, rowsOf(table, key.slice(table.length + 1), decoder.decode(item.value)))
    }
    this.#heard.set(key, now)
    for (const owner of new Set([...before.keys(), ...now.keys()])) {
      const [gone = [], come = []] = [before.get(owner), now.get(owner)]
      if (gone.length === come.length && gone.every((row, i) => sameRow(row, come[i]!))) continue
      for (const row of gone) this.#remove(row)
      for (const row of come) this.tables.replace(row)
    }
  }

  #remove(row: OverlayRow): void {
    try {
      this.tables.delete(row)
    } catch {
      // It writes a warning and goes on.
    }
  }
}

function rowsOf(table: string, name: string, value: string): OverlayRow[] {
  if (table === 'addresses') return [{ table: 'neighbour', ip: name, mac: value }]
  return [
    { table: 'fdb', mac: name, vtep: value },
    { table: 'port', mac: name },
  ]
}
