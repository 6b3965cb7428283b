import type { Digest } from '../dissemination/sync-session.ts'
import type { EntryItem } from '../wire/entry-event.ts'
import type { EpochId } from '../wire/epoch.ts'
import { finish, mixNumber, mixString } from '../wire/mix.ts'
import { Ranges, type ReadonlyRanges } from './ranges.ts'
import { StoredItem } from './stored-item.ts'

/** One operation of a log, immutable and shared by reference. */
export type Item = EntryItem

/**
 * Called when the entry that counts for `key` in a log may have changed, once the log is consistent again and in the
 * same synchronous step. Must not write to logs.
 */
export type EntryListener = (log: OwnerLog, key: string, change: EntryChange) => void

/** `value`: there was an entry of that key before, and there is one now. `presence`: perhaps not so. */
export type EntryChange = 'value' | 'presence'

/** `refused`: as if it had been lost on the way. A later transfer brings it. */
export type ApplyResult = 'new' | 'duplicate' | 'refused'

/** Bounds of one log. What would exceed them is refused as a whole, never applied in part. */
export interface LogLimits {
  /** Ranges above the contiguous line that single operations may open, and that a transfer may lead to. */
  readonly ranges: number
  readonly joinedRanges: number
  /** Tombstones above the contiguous line, likewise. */
  readonly tombs: number
  readonly joinedTombs: number
  /** Deletes below the line that are remembered, so that a peer can be sent them singly. */
  readonly dels: number
  /** Ranges that a version row names. */
  readonly rowRanges: number
}

export const MAX_RANGES = 256
export const MAX_JOINED_RANGES = 4096
export const MAX_TOMBS = 4096
export const MAX_JOINED_TOMBS = 16_384
export const MAX_DELS = 1024
export const MAX_ROW_RANGES = 1024

export const LOG_LIMITS: LogLimits = {
  ranges: MAX_RANGES,
  joinedRanges: MAX_JOINED_RANGES,
  tombs: MAX_TOMBS,
  joinedTombs: MAX_JOINED_TOMBS,
  dels: MAX_DELS,
  rowRanges: MAX_ROW_RANGES,
}

/** What a transfer ends with: everything that its sender knew when it was built. */
export interface LogCommit {
  readonly contiguous: number
  readonly ranges: ReadonlyRanges
  /**
   * The numbers of all live entries up to `contiguous`, if the sender no longer remembers every delete that the
   * receiver may lack: what is not among them is gone.
   */
  readonly alive: ReadonlyRanges | undefined
}

/** The state of a log, to be read. */
export interface LogState {
  readonly owner: string
  readonly id: EpochId
  /** How many operations the opening snapshot of the epoch has; 0 for a cold start. */
  readonly base: number
  /** Every operation from 1 up to this one is known. */
  readonly contiguous: number
  /** The known operations above `contiguous` + 1. */
  readonly ranges: ReadonlyRanges
  readonly live: ReadonlyMap<string, Item>
  /** Deletes above `contiguous` that are the last operation known of their key. */
  readonly tombs: ReadonlyMap<string, Item>
  /** Deletes up to `contiguous`, ascending: from `floor` on every one that is the last of its key. Local. */
  readonly dels: readonly Item[]
  readonly floor: number
}

const HIGH_SEED = 0x6f776e65
const LOW_SEED = 0x726c6f67
const EMPTY_HASH: Digest = { high: 0, low: 0 }
const NO_ITEMS: ReadonlyMap<string, Item> = new Map()
const NONE: readonly Item[] = []

/**
 * What one node knows of the operations that one owner numbered in one epoch.
 *
 * Invariant: for every key, what stands here is the operation with the highest number among the known ones of that
 * key: a live entry if it is a set, a tombstone if it is a delete above `contiguous`, nothing if it is a delete below.
 * So the state is a function of the known numbers, and merging is their union. Whatever adds a number must leave, in
 * the same synchronous step, the log as if the operation had been applied. See docs/network-state.md.
 */
export class OwnerLog implements LogState {
  readonly owner: string
  readonly id: EpochId
  readonly base: number
  readonly limits: LogLimits
  #listener: EntryListener | undefined
  readonly #hashChanged: ((owner: string) => void) | undefined
  #contiguous = 0
  #ranges = Ranges.none()
  /** Made when needed, as `#tombs` and `#dels` are: most logs of the built-in network hold one entry, most others begin empty. */
  #live: Map<string, Item> | undefined
  #tombs: Map<string, Item> | undefined
  /** No tombstone is below this; there may be none at it. */
  #lowestTomb = Number.POSITIVE_INFINITY
  #dels: Item[] | undefined
  #floor = 1
  /** Holds no key that any known operation of this epoch has touched. */
  #shadow: Map<string, Item> | undefined
  #retired = false
  #hash: Digest | undefined

  /** The log takes `shadow` over: entries of the previous epoch, visible until the opening snapshot is complete. */
  constructor(
    owner: string,
    id: EpochId,
    base: number,
    options: {
      limits?: LogLimits
      listener?: EntryListener | undefined
      /** Called when a hash that was asked for no longer holds. */
      hashChanged?: ((owner: string) => void) | undefined
      shadow?: Map<string, Item>
    } = {},
  ) {
    this.owner = owner
    this.id = id
    this.base = base
    this.limits = options.limits ?? LOG_LIMITS
    this.#listener = options.listener
    this.#hashChanged = options.hashChanged
    if (base > 0 && options.shadow !== undefined && options.shadow.size > 0) this.#shadow = options.shadow
  }

  get contiguous(): number {
    return this.#contiguous
  }

  get ranges(): ReadonlyRanges {
    return this.#ranges
  }

  get live(): ReadonlyMap<string, Item> {
    return this.#live ?? NO_ITEMS
  }

  get tombs(): ReadonlyMap<string, Item> {
    return this.#tombs ?? NO_ITEMS
  }

  get dels(): readonly Item[] {
    return this.#dels ?? NONE
  }

  get floor(): number {
    return this.#floor
  }

  /** Entries of the previous epoch that still count. Seen by `entry` and `entries`, never by digests or transfers. */
  get shadow(): ReadonlyMap<string, Item> | undefined {
    return this.#shadow
  }

  /** The log was forgotten or superseded: it is empty, and what is still under way to it must not arrive. */
  get retired(): boolean {
    return this.#retired
  }

  /** Nothing of this epoch is known yet. */
  get empty(): boolean {
    return this.#contiguous === 0 && this.#ranges.size === 0
  }

  /** Stands for owner, epoch and known numbers; zero while nothing is known, as if there were no log. */
  get hash(): Digest {
    this.#hash ??= this.empty ? EMPTY_HASH : { high: this.#mixed(HIGH_SEED), low: this.#mixed(LOW_SEED) }
    return this.#hash
  }

  knows(seq: number): boolean {
    return seq <= this.#contiguous || this.#ranges.has(seq)
  }

  /** The entry that counts for a key in this log. */
  entry(key: string): Item | undefined {
    return this.live.get(key) ?? this.#shadow?.get(key)
  }

  /** All entries that count. */
  *entries(): Generator<Item, void> {
    yield* this.live.values()
    if (this.#shadow !== undefined) yield* this.#shadow.values()
  }

  /** Takes an operation in; one that would open more than `maxRanges` ranges is refused. */
  apply(item: Item, maxRanges: number = this.limits.ranges): ApplyResult {
    if (this.knows(item.seq)) return 'duplicate'
    if (!this.#hasRoomFor(item, maxRanges)) return 'refused'
    const change = this.#put(item)
    this.#learn(item.seq)
    const dropped = this.#takeShadow(this.base)
    if (change !== undefined) this.#listener?.(this, item.key, change)
    if (dropped !== undefined) this.#notify(dropped.keys())
    return 'new'
  }

  /**
   * Takes an operation in, and with it the numbers of earlier ones on its key, as ascending pairs: these have no effect
   * once it is known. `new` if any of it was.
   */
  applyLast(item: Item, superseded: readonly number[]): ApplyResult {
    const result = this.apply(item)
    if (superseded.length === 0 || result === 'refused') return result
    return this.#learnSuperseded(superseded) ? 'new' : result
  }

  /**
   * Takes over all that the sender of a transfer knew, in one step. Its items must have been applied before, or be in
   * `held`. False, and nothing done, if this log's bounds forbid it; never so for what the owner itself sends.
   */
  join({ contiguous, ranges, alive }: LogCommit, held: readonly Item[] = []): boolean {
    const joined = this.#ranges.copy()
    joined.addAll(ranges)
    const line = joined.absorb(Math.max(this.#contiguous, contiguous))
    const adopted = held.filter(({ seq }) => !this.knows(seq) && (seq <= line || joined.has(seq)))
    const tombs = countTombs(this.tombs.values(), line) + countTombs(adopted, line)
    if (joined.size > this.limits.joinedRanges || tombs > this.limits.joinedTombs) return false

    const changed: string[] = []
    for (const item of adopted) if (this.#put(item) !== undefined) changed.push(item.key)
    if (alive !== undefined && contiguous > this.#contiguous) this.#sweep(contiguous, alive, changed)
    this.#contiguous = line
    this.#ranges = joined
    this.#dropHash()
    this.#bury()
    const dropped = this.#takeShadow(this.base)
    this.#notify(changed)
    if (dropped !== undefined) this.#notify(dropped.keys())
    return true
  }

  /** Hides what the previous epoch left, for the case that its successor's opening snapshot never completes. */
  dropShadow(): void {
    const dropped = this.#takeShadow(0)
    if (dropped !== undefined) this.#notify(dropped.keys())
  }

  /** Ends this log without telling the listener; hands over the entries that counted. */
  retire(): Map<string, Item> {
    const visible = this.#shadow ?? this.#live ?? new Map<string, Item>()
    if (visible !== this.#live) for (const [key, item] of this.live) visible.set(key, item)
    this.#retired = true
    this.#listener = undefined
    this.#shadow = undefined
    this.#live = undefined
    this.#tombs = undefined
    this.#dels = undefined
    return visible
  }

  #hasRoomFor(item: Item, maxRanges: number): boolean {
    if (item.seq === this.#contiguous + 1) return true
    if (this.#ranges.size >= maxRanges && !this.#ranges.touches(item.seq)) return false
    return item.value !== undefined || this.tombs.size < this.limits.tombs || this.tombs.has(item.key)
  }

  /** Gives an operation its effect, unless a later one is known; tells what it was. */
  #put(item: Item): EntryChange | undefined {
    const { seq, key } = item
    this.#live ??= new Map()
    const live = this.#live.get(key)
    const present = live ?? this.#tombs?.get(key)
    if (present !== undefined && present.seq >= seq) return undefined
    const shadowed = this.#shadow?.delete(key) ?? false
    if (item.value !== undefined) {
      this.#live.set(key, new StoredItem(item, item.value))
      this.#tombs?.delete(key)
      return live !== undefined || shadowed ? 'value' : 'presence'
    }
    this.#live.delete(key)
    if (seq === this.#contiguous + 1) {
      this.#remember(item)
    } else {
      this.#tombs ??= new Map()
      this.#tombs.set(key, item)
      if (seq < this.#lowestTomb) this.#lowestTomb = seq
    }
    return 'presence'
  }

  #learn(seq: number): void {
    this.#dropHash()
    if (seq === this.#contiguous + 1) {
      this.#contiguous = this.#ranges.absorb(seq)
      this.#bury()
    } else if (seq > this.#contiguous) {
      this.#ranges.add(seq)
    }
  }

  /** Numbers for which there is no room stay unknown, as if nobody had named them. */
  #learnSuperseded(pairs: readonly number[]): boolean {
    let learned = false
    for (let i = 0; i < pairs.length; i += 2) {
      const lo = Math.max(pairs[i]!, this.#contiguous + 1)
      const hi = pairs[i + 1]!
      if (hi < lo || this.#ranges.covers(lo, hi)) continue
      if (lo === this.#contiguous + 1) this.#contiguous = this.#ranges.absorb(hi)
      else if (this.#ranges.size < this.limits.ranges || this.#ranges.touches(lo, hi))
        this.#ranges.add(lo, hi)
      else continue
      learned = true
    }
    if (!learned) return false
    this.#dropHash()
    this.#bury()
    const dropped = this.#takeShadow(this.base)
    if (dropped !== undefined) this.#notify(dropped.keys())
    return true
  }

  /** Below the line absence says it all: tombstones there become mere memories. */
  #bury(): void {
    if (this.#lowestTomb > this.#contiguous) return
    const buried: Item[] = []
    this.#lowestTomb = Number.POSITIVE_INFINITY
    for (const tomb of this.tombs.values()) {
      if (tomb.seq <= this.#contiguous) buried.push(tomb)
      else if (tomb.seq < this.#lowestTomb) this.#lowestTomb = tomb.seq
    }
    buried.sort((a, b) => a.seq - b.seq)
    for (const tomb of buried) {
      this.#tombs?.delete(tomb.key)
      this.#remember(tomb)
    }
  }

  #remember(tomb: Item): void {
    if (tomb.seq < this.#floor) return
    this.#dels ??= []
    this.#dels.push(tomb)
    if (this.#dels.length > this.limits.dels) this.#floor = this.#dels.shift()!.seq + 1
  }

  /** Removes what the sender, who knew everything up to `line`, no longer has. */
  #sweep(line: number, alive: ReadonlyRanges, changed: string[]): void {
    for (const [key, { seq }] of this.live) {
      if (seq > line || alive.has(seq)) continue
      this.#live?.delete(key)
      changed.push(key)
    }
    // The deletes behind those removals are unknown here, so nobody can be sent them from here.
    this.#floor = line + 1
    this.#dels = undefined
  }

  /** The shadow, taken off, once the contiguous line has reached `line`. */
  #takeShadow(line: number): Map<string, Item> | undefined {
    if (this.#shadow === undefined || this.#contiguous < line) return undefined
    const shadow = this.#shadow
    this.#shadow = undefined
    return shadow
  }

  #notify(keys: Iterable<string>): void {
    const listener = this.#listener
    if (listener !== undefined) for (const key of keys) listener(this, key, 'presence')
  }

  #dropHash(): void {
    if (this.#hash === undefined) return
    this.#hash = undefined
    this.#hashChanged?.(this.owner)
  }

  #mixed(seed: number): number {
    let state = mixNumber(mixNumber(mixString(seed, this.owner), this.id.time), this.id.nonce)
    state = mixNumber(state, this.#contiguous)
    for (const bound of this.#ranges.pairs) state = mixNumber(state, bound)
    return finish(state)
  }
}

function countTombs(items: Iterable<Item>, line: number): number {
  let count = 0
  for (const { seq, value } of items) if (value === undefined && seq > line) count++
  return count
}
