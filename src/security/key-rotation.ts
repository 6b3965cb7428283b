import { HearsayError } from '../errors.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { KeyExchange, type KeyNews } from './key-exchange.ts'
import {
  compareKeys,
  holdsUp,
  installKey,
  type KeyOrder,
  keyInUse,
  keyUnderWay,
  latticeDigest,
  takeStep,
} from './key-lattice.ts'
import { type Keyring, parseKey } from './keyring.ts'
import { type KeyHolder, RotatingRing } from './rotating-ring.ts'

/** What the rotation asks of the node that it serves. */
export interface RotationHost {
  /** Live members, suspects among them, but for this node. */
  live(): Iterable<KeyHolder>
  /** All members that are remembered, but for this node. */
  others(): Iterable<KeyHolder>
  /** Whether this node sees enough of the cluster to take steps for it. */
  mayStep(): boolean
  /** Who keeps it from that: members that have failed, or this node itself. */
  missing(): readonly string[]
  /** Tells others which keys this node holds. */
  publish(keys: readonly number[]): void
  /** Compares keys with so many random live members of those that seem to lack what is new. */
  spread(count: number, lacking: (holder: KeyHolder) => boolean): void
  /** Compares keys with a member. */
  exchange(holder: KeyHolder): void
  /** The ring has changed. */
  changed(): void
}

export interface RotateOptions {
  /** Ends the waiting, not the rotation. */
  readonly signal?: AbortSignal
  /** ms; default 60,000. */
  readonly timeoutMs?: number
}

/** A `SyncDomain` of the dissemination room. */
export interface KeyDomain {
  readonly name: string
  readonly mismatchIntervalMs: number
  readonly sealedOnly: true
  digest(): { readonly high: number; readonly low: number }
  open(): KeyExchange
}

/** Somebody who waits for the end of a rotation. */
interface Waiter {
  readonly key: KeyOrder
  /** Whether the key was seen in use. */
  used: boolean
  settle(error?: unknown): void
}

const KEYS_DOMAIN = '\u0000keys'
const MISMATCH_INTERVAL_MS = 1_000
const DEFAULT_TIMEOUT_MS = 60_000
/** So many members hear of a new key at once, which nobody can come to by itself; of a step, which others see as well, fewer. */
const KEY_SPREAD = 3
const STEP_SPREAD = 1
/** What changes together is looked at together. */
const LOOK_DELAY_MS = 20
/** Members that hold a step up are reminded so often, by about so many of the others together. */
const REMIND_INTERVAL_MS = 1_000
const REMINDERS = 2
/** Keys on the ring at once, from which on no more are brought in. */
const MOST_AT_ONCE = 8

/**
 * Rotates the keys of the cluster. What merges is a lattice (`key-lattice.ts`), so any node takes the next step as soon as
 * it sees that all live members are ready; whoever began may be gone.
 */
export class KeyRotation {
  readonly #runtime: Runtime
  readonly #ring: RotatingRing
  readonly #host: RotationHost
  readonly #waiters = new Set<Waiter>()
  #look: Timer | undefined
  #reminder: Timer | undefined
  #stopped = false
  #completed = 0
  #digest: { readonly high: number; readonly low: number }

  constructor(runtime: Runtime, keyring: Keyring, host: RotationHost) {
    this.#runtime = runtime
    this.#ring = new RotatingRing(runtime, keyring)
    this.#host = host
    this.#digest = latticeDigest(this.#ring.lattice)
  }

  /** What is to be compared with other nodes, over sealed streams only. */
  readonly domain: KeyDomain = {
    name: KEYS_DOMAIN,
    mismatchIntervalMs: MISMATCH_INTERVAL_MS,
    sealedOnly: true,
    digest: () => this.#digest,
    open: () => new KeyExchange({ tell: () => this.#ring.news(), learn: (news) => this.#learn(news) }),
  }

  /** Ids of the keys on the ring, the one that seals first. */
  get listed(): readonly number[] {
    return this.#ring.listed
  }

  /** Copies of the keys on the ring, the one that seals first. */
  keys(): Uint8Array[] {
    return this.#ring.keys()
  }

  /** The stage is 1 while a key is being installed, 2 while it is taken into use, 0 at rest. */
  get counts(): Readonly<Record<string, number>> {
    const key = keyUnderWay(this.#ring.lattice)
    return {
      held: this.#ring.listed.length,
      stage: key === undefined ? 0 : key.stage === 'install' ? 1 : 2,
      lacking: this.#holdingUp().length,
      rotations: this.#completed,
    }
  }

  stop(): void {
    this.#stopped = true
    const closed = new HearsayError('ERR_CLOSED', 'This node was closed before the keys were rotated.')
    for (const waiter of [...this.#waiters]) waiter.settle(closed)
  }

  /**
   * Brings a key in, to be the one that all seal with. Resolves once the older ones are retired as far as this node knows. Rejects
   * with `ERR_KEY_INVALID`, with `ERR_ROTATION_BLOCKED` after `timeoutMs`, with `ERR_CLOSED`, or with the signal's reason;
   * but for the first, the rotation goes on.
   */
  async rotate(key: Uint8Array | string, options: RotateOptions = {}): Promise<void> {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options
    signal?.throwIfAborted()
    const installed = this.#install(key)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.settle(signal?.reason)
      const timeout = this.#runtime.setTimer(timeoutMs, () => waiter.settle(this.#blocked()))
      const waiter: Waiter = {
        key: installed,
        used: keyInUse(this.#ring.lattice)?.id === installed.id,
        settle: (error) => {
          this.#waiters.delete(waiter)
          timeout.cancel()
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort)
      this.#waiters.add(waiter)
      this.#settleWaiters()
    })
  }

  /** A member is new, lists other keys than before, or has come to another verdict. */
  memberChanged(holder: KeyHolder): void {
    if (this.#ring.hasChoice) this.#ring.sealFor(holder)
    this.reconsider()
  }

  /** Whether this node may take steps may have changed. */
  reconsider(): void {
    if (keyUnderWay(this.#ring.lattice) !== undefined) this.#lookSoon()
  }

  #install(key: Uint8Array | string): KeyOrder {
    const bytes = parseKey(key)
    try {
      return this.#installBytes(bytes)
    } finally {
      bytes.fill(0)
    }
  }

  #installBytes(bytes: Uint8Array): KeyOrder {
    const { lattice } = this.#ring
    const id = this.#ring.identify(bytes)
    const known = lattice.keys.findLast((other) => other.id === id)
    if (known !== undefined) {
      if (known.stage === 'install' || known === keyInUse(lattice)) return known
      throw new HearsayError('ERR_KEY_INVALID', 'This key was rotated out already; make a new one.')
    }
    if (lattice.keys.length >= MOST_AT_ONCE) {
      throw new HearsayError('ERR_ROTATION_BLOCKED', 'Too many keys are being rotated; wait for them.')
    }
    const installed = installKey(lattice, id)
    this.#merge({ lattice: installed, bytes: new Map([[id, bytes]]) })
    return installed.keys.at(-1)!
  }

  #learn(news: KeyNews): boolean {
    if (this.#stopped) return false
    try {
      this.#merge(news)
      return true
    } catch {
      return false
    } finally {
      for (const key of news.bytes.values()) key.fill(0)
    }
  }

  #merge(news: Partial<KeyNews> & Pick<KeyNews, 'lattice'>): void {
    const { lattice: former, listed: before } = this.#ring
    if (!this.#ring.merge(news)) return
    const { lattice, listed } = this.#ring
    this.#digest = latticeDigest(lattice)
    if (compareKeys(lattice.floor, former.floor) > 0) this.#completed++
    const relisted = !sameIds(before, listed)
    if (relisted) {
      this.#reseal()
      this.#host.publish(listed)
      this.#host.changed()
    }
    const isNew = lattice.keys.some(({ id }) => former.keys.every((key) => key.id !== id))
    const lacking = ({ keys }: KeyHolder): boolean => keys.length > 0 && !(relisted && sameIds(keys, listed))
    this.#host.spread(isNew ? KEY_SPREAD : STEP_SPREAD, lacking)
    this.#settleWaiters()
    this.#lookSoon()
  }

  #reseal(): void {
    this.#ring.sealAlike()
    if (this.#ring.hasChoice) for (const holder of this.#host.others()) this.#ring.sealFor(holder)
  }

  #settleWaiters(): void {
    const { keys, floor } = this.#ring.lattice
    for (const waiter of [...this.#waiters]) {
      waiter.used ||= keys.some((key) => compareKeys(key, waiter.key) === 0 && key.stage === 'use')
      const order = compareKeys(floor, waiter.key)
      if (order < 0) continue
      if (waiter.used || order === 0) waiter.settle()
      else waiter.settle(overtaken())
    }
  }

  #lookSoon(): void {
    if (this.#look !== undefined || this.#stopped) return
    this.#look = this.#runtime.setTimer(LOOK_DELAY_MS, () => {
      this.#look = undefined
      if (!this.#stopped) this.#step()
    })
  }

  #step(): void {
    const { lattice } = this.#ring
    const next = this.#host.mayStep() ? takeStep(lattice, this.#lists()) : lattice
    if (next !== lattice) this.#merge({ lattice: next })
    else if (keyUnderWay(lattice) !== undefined) this.#armReminder()
  }

  *#lists(): Generator<readonly number[]> {
    yield this.#ring.listed
    for (const { keys } of this.#host.live()) yield keys
  }

  #armReminder(): void {
    if (this.#reminder !== undefined) return
    const delayMs = REMIND_INTERVAL_MS * (0.75 + 0.5 * this.#fraction())
    this.#reminder = this.#runtime.setTimer(delayMs, () => {
      this.#reminder = undefined
      if (this.#stopped) return
      const among = [...this.#host.live()].length
      for (const holder of this.#holdingUp()) {
        // Keys travel in sealed streams only.
        const mayHear = holder.keys.length > 0
        if (mayHear && this.#fraction() * among < REMINDERS) this.#host.exchange(holder)
      }
      this.#step()
    })
  }

  /** Live members that hold up the step under way. */
  #holdingUp(): KeyHolder[] {
    const key = keyUnderWay(this.#ring.lattice)
    if (key === undefined) return []
    return [...this.#host.live()].filter(({ keys }) => holdsUp(key, keys))
  }

  #blocked(): HearsayError {
    const names = this.#host.mayStep() ? this.#holdingUp().map(({ name }) => name) : this.#host.missing()
    return new HearsayError(
      'ERR_ROTATION_BLOCKED',
      `The rotation of keys waits for ${names.join(', ') || 'others'}; it goes on once they answer, leave or are held failed.`,
    )
  }

  #fraction(): number {
    return this.#runtime.randomUint32() / 0x1_0000_0000
  }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

function overtaken(): HearsayError {
  return new HearsayError(
    'ERR_ROTATION_BLOCKED',
    'Another rotation has overtaken this one, and its key is in use; rotate again if this one is to follow.',
  )
}
