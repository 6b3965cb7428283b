import type { Network } from '../../src/network-state/network.ts'
import type { Table } from '../../src/network-state/table.ts'
import type { Change } from '../../src/network-state/watch.ts'
import { TABLE } from './plan.ts'

/** A value as applications of the soak write it: its number, and the writer's life that wrote it. */
export interface Written {
  readonly value: number
  /** Number of the session, a node's taking part in a network, in which it was written. */
  readonly session: number
}

interface Seen extends Written {
  readonly owner: string
}

/** How a node takes part in the network now, and what it claims there. */
export interface OwnerSession {
  readonly number: number
  readonly own: ReadonlyMap<string, number>
}

/** A watcher that keeps a table from nothing but the changes that it is told, and finds what contradicts itself. */
export class Follower {
  readonly violations: string[] = []
  readonly #network: Network
  readonly #table: Table<Written>
  readonly #changes: AsyncIterableIterator<Change<Written>>
  readonly #seen = new Map<string, Seen>()
  /** Of keys that only one node ever writes: the last value heard of a session. */
  readonly #floors = new Map<string, Written>()
  readonly #sessionOf: (node: string) => OwnerSession | undefined
  #slow: boolean
  #waiting = false
  #ended = false

  constructor(network: Network, slow: boolean, sessionOf: (node: string) => OwnerSession | undefined) {
    this.#network = network
    this.#table = network.table<Written>(TABLE)
    this.#changes = this.#table.watch()
    this.#sessionOf = sessionOf
    this.#slow = slow
    this.pull()
  }

  /** Takes one change; one that is not slow takes all that come. */
  pull(): void {
    if (this.#waiting || this.#ended) return
    this.#waiting = true
    void this.#changes.next().then(({ done, value }) => {
      this.#waiting = false
      if (done) this.#ended = true
      else this.#apply(value)
      if (!this.#slow) this.pull()
    })
  }

  hurry(): void {
    this.#slow = false
    this.pull()
  }

  /** Whether the changes so far give the table as it is; for one that has had time to take all of them. */
  compare(): void {
    if (this.#slow || this.#ended) return
    const entries = new Map(this.#table.entries())
    for (const [key, { value, owner }] of entries) {
      const seen = this.#seen.get(key)
      if (seen?.value === value.value && seen.owner === owner) continue
      this.#complain(`shows "${key}" as ${text({ ...value, owner })}, its watcher was told ${text(seen)}`)
    }
    for (const [key, seen] of this.#seen) {
      if (!entries.has(key)) this.#complain(`has no "${key}", its watcher was told ${text(seen)}`)
    }
  }

  #apply(change: Change<Written>): void {
    if (change.type === 'synced') return
    const { key, previous } = change
    const seen = this.#seen.get(key)
    const same = previous?.value.value === seen?.value && previous?.owner === seen?.owner
    if (!same) {
      const told = previous && { ...previous.value, owner: previous.owner }
      this.#complain(`says that "${key}" was ${text(told)}, but last it told ${text(seen)}`)
    }
    if (change.type === 'delete') {
      this.#seen.delete(key)
      if (change.reason === 'deleted') this.#passed(key, change.previous.owner, change.previous.value, true)
      return
    }
    this.#seen.set(key, { ...change.value, owner: change.owner })
    this.#passed(key, change.owner, change.value, false)
  }

  /** Within one session of its owner a key's values only rise, and what was deleted does not come back. */
  #passed(key: string, owner: string, written: Written, deleted: boolean): void {
    if (!key.startsWith(`${owner}/`)) return
    const session = this.#sessionOf(owner)
    if (session?.number !== written.session) return
    const floor = this.#floors.get(key)
    if (!deleted && floor?.session === written.session && floor.value > written.value) {
      this.#complain(`went back from value ${Math.ceil(floor.value)} of "${key}" to ${written.value}`)
    }
    // A deletion lies just above the value that it deletes.
    const value = written.value + (deleted ? 0.5 : 0)
    if (floor?.session !== written.session || value > floor.value) {
      this.#floors.set(key, { value, session: written.session })
    }
  }

  #complain(what: string): void {
    this.violations.push(`network "${this.#network.name}" ${what}`)
  }
}

function text(seen: Seen | undefined): string {
  return seen === undefined ? 'nothing' : `value ${seen.value} of ${seen.owner}`
}
