import type { Change } from '../../src/network-state/watch.ts'
import type { Simulation } from '../simulation.ts'
import { type Followed, valueHash } from './followed.ts'
import type { Invariant } from './invariant.ts'

interface Seen {
  readonly owner: string
  readonly hash: number
}

interface Replay {
  /** By key, what the changes so far make of the table. */
  readonly seen: Map<string, Seen>
  /** What the table held at the last check and the watch had not given. */
  late: ReadonlySet<string>
}

/** Larger tables are compared in the end only. */
const MOST_COMPARED = 1000

/**
 * Whoever applies the changes that a watch gives has exactly the table, and each change says rightly what was there before. While the run
 * goes on a watch may be behind, but not at two checks by the same change.
 */
export class WatchReplays implements Invariant {
  readonly name = 'a watcher that replays its changes has exactly the table'
  readonly #sim: Simulation
  readonly #replays = new Map<Followed, Replay>()

  constructor(sim: Simulation) {
    this.#sim = sim
  }

  followed(followed: Followed): void {
    this.#replays.set(followed, { seen: new Map(), late: new Set() })
  }

  *changed(followed: Followed, change: Change<unknown>): Generator<string> {
    const seen = this.#replays.get(followed)?.seen
    if (seen === undefined || change.type === 'synced') return
    const { key, previous } = change
    const given = seen.get(key)
    const said = previous && { owner: previous.owner, hash: valueHash(previous.value) }
    if (!same(given, said)) {
      yield `${followed.label} said of "${key}" that ${show(said)} was there, and had given ${show(given)}`
    }
    if (change.type === 'delete') seen.delete(key)
    else seen.set(key, { owner: change.owner, hash: valueHash(change.value) })
  }

  *during(): Generator<string> {
    for (const [followed, replay] of this.#replays) {
      if (followed.ended) {
        this.#replays.delete(followed)
        continue
      }
      const large = replay.seen.size > MOST_COMPARED
      const late = new Set(large || !this.#isUpToDate(followed) ? [] : differences(followed, replay.seen))
      for (const difference of late) if (replay.late.has(difference)) yield difference
      replay.late = late
    }
  }

  *atEnd(): Generator<string> {
    for (const [followed, { seen }] of this.#replays) {
      if (!followed.ended && this.#isUpToDate(followed)) yield* differences(followed, seen)
    }
  }

  /** Nobody hears of changes while the process stands still. */
  #isUpToDate({ node, slow }: Followed): boolean {
    return !slow && this.#sim.world.knownHost(node)?.process?.paused === false
  }
}

function* differences({ table, label }: Followed, seen: ReadonlyMap<string, Seen>): Generator<string> {
  let count = 0
  for (const [key, { owner, value }] of table.entries()) {
    count++
    const entry = { owner, hash: valueHash(value) }
    const given = seen.get(key)
    if (!same(given, entry))
      yield `${label} holds ${show(entry)} at "${key}", and its watch gave ${show(given)}`
  }
  if (count !== seen.size) yield `${label} holds ${count} entries, and its watch gave ${seen.size}`
}

function same(one: Seen | undefined, other: Seen | undefined): boolean {
  return one?.owner === other?.owner && one?.hash === other?.hash
}

function show(seen: Seen | undefined): string {
  return seen === undefined ? 'nothing' : `${seen.hash.toString(16)} of ${seen.owner}`
}
