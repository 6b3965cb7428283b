import type { Change } from '../../src/network-state/watch.ts'
import type { Followed } from '../invariants/followed.ts'
import type { Invariant } from '../invariants/invariant.ts'
import { isWritten, type Written } from './plan.ts'

/**
 * Of what one owner writes under one key in one session, a watcher is never shown an earlier value after a later one, nor one from before a
 * deletion. Finds values, too, that no watch had given before; it takes values that are numbered in time, which the soak's are.
 */
export class ValuesRise implements Invariant {
  readonly name = 'the values of an owner rise'
  readonly #isCurrent: (network: string, owner: string, written: Written) => boolean
  /** The last value that was given, by key and owner. */
  readonly #floors = new WeakMap<Followed, Map<string, Written>>()

  /** `isCurrent` says whether an owner still is in the session in which it wrote a value. */
  constructor(isCurrent: (network: string, owner: string, written: Written) => boolean) {
    this.#isCurrent = isCurrent
  }

  followed(followed: Followed): void {
    this.#floors.set(followed, new Map())
  }

  *changed(followed: Followed, change: Change<unknown>): Generator<string> {
    if (change.type === 'set') yield* this.#passed(followed, change.key, change.owner, change.value, false)
    else if (change.type === 'delete' && change.reason === 'deleted') {
      yield* this.#passed(followed, change.key, change.previous.owner, change.previous.value, true)
    }
  }

  *#passed(
    followed: Followed,
    key: string,
    owner: string,
    written: unknown,
    deleted: boolean,
  ): Generator<string> {
    const floors = this.#floors.get(followed)
    if (floors === undefined || !isWritten(written)) return
    if (!this.#isCurrent(followed.network.name, owner, written)) return
    const place = `${owner}\n${key}`
    const known = floors.get(place)
    const floor = known?.session === written.session ? known.value : Number.NEGATIVE_INFINITY
    if (!deleted && written.value < floor) {
      yield `${followed.label} went back from value ${Math.ceil(floor)} of "${key}" of ${owner} to ${written.value}`
    }
    // A deletion lies just above the value that it deletes.
    const value = written.value + (deleted ? 0.5 : 0)
    if (value > floor) floors.set(place, { ...written, value })
  }
}
