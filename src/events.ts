import { EventEmitter } from 'eventemitter3'
import { TokenBucket } from './dissemination/token-bucket.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { EpochId } from './wire/epoch.ts'

export type MemberStatus = 'alive' | 'suspect' | 'failed' | 'left'

/** A member as this node sees it at one moment. Frozen. */
export interface MemberSnapshot {
  readonly name: string
  /** Where it is reached, `ip:port`. */
  readonly address: string
  /** `failed` also while a member that flaps is quarantined: what it says still counts. */
  readonly status: MemberStatus
  readonly metadata: Uint8Array
  /** Which life of the member's process this is. */
  readonly epoch: EpochId
  readonly incarnation: number
}

/**
 * | code | what has happened |
 * |---|---|
 * | `WARN_NO_SEED_ANSWERED` | no seed answered at the start; it goes on in the background. Normal for a first node |
 * | `WARN_NAME_CONFLICT` | another live process uses this node's name, and this one no longer writes: give one of them another |
 * | `WARN_UNDECODABLE_ENTRY` | the codec of a table threw for an entry, which is passed over |
 * | `WARN_LISTENER_FAILED` | a listener of this node threw |
 * | `WARN_TRAFFIC_DROPPED` | packets or streams were dropped: other keys, other label, or an attack. See `metrics()` |
 * | `WARN_KEY_UNKNOWN` | a member seals with a key that this node does not hold: one of the two has missed a rotation |
 * | `WARN_KEY_FILE_READABLE` | others than the owner of `keyFile` may read or write it: `chmod 600` |
 * | `WARN_KEY_FILE_NOT_WRITTEN` | the keys have rotated and `keyFile` still has the former ones; it is tried again |
 * | `WARN_NOT_SYNCED` | a network was joined, but none of its participants answered in time |
 */
export type WarningCode =
  | 'WARN_NO_SEED_ANSWERED'
  | 'WARN_NAME_CONFLICT'
  | 'WARN_UNDECODABLE_ENTRY'
  | 'WARN_LISTENER_FAILED'
  | 'WARN_TRAFFIC_DROPPED'
  | 'WARN_KEY_UNKNOWN'
  | 'WARN_KEY_FILE_READABLE'
  | 'WARN_KEY_FILE_NOT_WRITTEN'
  | 'WARN_NOT_SYNCED'

export interface HearsayWarning {
  readonly code: WarningCode
  readonly message: string
  readonly cause?: unknown
}

export interface ClusterEvents {
  /** A member is new, or is back, or has refuted a suspicion. */
  'member-up': [member: MemberSnapshot]
  'member-suspect': [member: MemberSnapshot]
  'member-failed': [member: MemberSnapshot]
  'member-left': [member: MemberSnapshot]
  /** Metadata or address changed. */
  'member-updated': [member: MemberSnapshot]
  /** Nobody answers this node any more: it takes itself for cut off, and withdraws nothing. */
  isolated: []
  /** Others answer again. */
  reconnected: []
  /** The keys of this node have changed: here they are, the one that seals first, to be kept for the next start. */
  keyring: [keys: readonly Uint8Array[]]
  warning: [warning: HearsayWarning]
}

export type Listener<E extends keyof ClusterEvents> = (...args: ClusterEvents[E]) => void

/** Of each code, so many at once and one more each ten seconds. */
const WARNING_BURST = 3
const WARNINGS_PER_SECOND = 0.1

/**
 * Tells listeners what has happened, in order, after the step in which it happened: a listener may call anything, and one
 * that throws harms nobody.
 */
export class EventQueue {
  readonly #runtime: Runtime
  readonly #emitter = new EventEmitter<ClusterEvents>()
  readonly #pending: (() => void)[] = []
  readonly #warningBudgets = new Map<WarningCode, TokenBucket>()
  readonly #guards = new WeakMap<Listener<never>, Listener<never>>()
  #draining = false

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  on<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): void {
    this.#emitter.on(event, this.#guarded(event, listener) as never)
  }

  once<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): void {
    this.#emitter.once(event, this.#guarded(event, listener) as never)
  }

  off<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): void {
    const guarded = this.#guards.get(listener as Listener<never>)
    if (guarded !== undefined) this.#emitter.off(event, guarded as never)
  }

  /** Whether anybody would be told. */
  listened(event: keyof ClusterEvents): boolean {
    return this.#emitter.listenerCount(event) > 0
  }

  emit<E extends keyof ClusterEvents>(event: E, ...args: ClusterEvents[E]): void {
    if (!this.listened(event)) return
    this.#pending.push(() => this.#emitter.emit(event, ...(args as never)))
    if (this.#draining) return
    this.#draining = true
    this.#runtime.defer(() => this.#drain())
  }

  /** Rate-limited per code. */
  warn(code: WarningCode, message: string, cause?: unknown): void {
    let budget = this.#warningBudgets.get(code)
    if (budget === undefined) {
      budget = new TokenBucket(WARNINGS_PER_SECOND, WARNING_BURST)
      this.#warningBudgets.set(code, budget)
    }
    if (!budget.take(this.#runtime.now())) return
    this.emit('warning', cause === undefined ? { code, message } : { code, message, cause })
  }

  /** The same guard for the same listener, so that `off` finds it. */
  #guarded<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): Listener<E> {
    const known = this.#guards.get(listener as Listener<never>)
    if (known !== undefined) return known as Listener<E>
    const guarded: Listener<E> = (...args) => {
      try {
        listener(...args)
      } catch (cause) {
        // A failing listener of warnings cannot be told by a warning.
        if (event !== 'warning') this.warn('WARN_LISTENER_FAILED', `A listener of '${event}' threw.`, cause)
      }
    }
    this.#guards.set(listener as Listener<never>, guarded as Listener<never>)
    return guarded
  }

  #drain(): void {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) next()
    this.#draining = false
  }
}
