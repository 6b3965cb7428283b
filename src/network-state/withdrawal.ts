import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { Owners } from './owners.ts'

export interface WithdrawalOptions {
  /** How much longer than detection the entries of a failed owner stay visible. */
  readonly withdrawAfterMs: number
  /** After isolation, how long others have to be heard again before they are withdrawn. */
  readonly reconnectGraceMs: number
}

/**
 * Decides whose entries are hidden because the owner is gone: at once when it left; after the hold-down when it failed;
 * never while this node is the one cut off, nor right after.
 */
export class Withdrawal {
  readonly #runtime: Runtime
  readonly #options: WithdrawalOptions
  readonly #owners: Owners
  readonly #onChange: (owner: string) => void
  readonly #withdrawn = new Map<string, 'left' | 'failed'>()
  readonly #holds = new Map<string, Timer>()
  /** Owners whose time was up while this node was isolated. */
  readonly #deferred = new Set<string>()
  #grace: Timer | undefined

  /** `onChange` is called with an owner that was hidden or came back. */
  constructor(
    runtime: Runtime,
    options: WithdrawalOptions,
    owners: Owners,
    onChange: (owner: string) => void,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#owners = owners
    this.#onChange = onChange
  }

  /** Why an owner's entries are hidden; undefined if they are not. */
  reason(owner: string): 'left' | 'failed' | undefined {
    return this.#withdrawn.get(owner)
  }

  /** The standing of an owner with this node has changed. */
  update(owner: string): void {
    const status = this.#owners.status(owner)
    if (status === 'failed') {
      this.#hold(owner)
      return
    }
    this.#release(owner)
    if (status === 'left') this.#withdraw(owner, 'left')
    else if (this.#withdrawn.delete(owner)) this.#onChange(owner)
  }

  /** This node has become isolated, or no longer is. */
  isolationChanged(): void {
    this.#grace?.cancel()
    if (this.#owners.isolated) return
    this.#grace = this.#runtime.setTimer(this.#options.reconnectGraceMs, () => {
      this.#grace = undefined
      const due = [...this.#deferred]
      this.#deferred.clear()
      for (const owner of due) if (this.#owners.status(owner) === 'failed') this.#withdraw(owner, 'failed')
    })
  }

  stop(): void {
    this.#grace?.cancel()
    for (const timer of this.#holds.values()) timer.cancel()
    this.#holds.clear()
  }

  #hold(owner: string): void {
    if (this.#withdrawn.has(owner) || this.#holds.has(owner) || this.#deferred.has(owner)) return
    const { withdrawAfterMs } = this.#options
    if (withdrawAfterMs === 0) {
      this.#timeIsUp(owner)
      return
    }
    const timer = this.#runtime.setTimer(withdrawAfterMs, () => this.#timeIsUp(owner))
    this.#holds.set(owner, timer)
  }

  #timeIsUp(owner: string): void {
    this.#holds.delete(owner)
    if (this.#owners.isolated || this.#grace !== undefined) this.#deferred.add(owner)
    else this.#withdraw(owner, 'failed')
  }

  #withdraw(owner: string, reason: 'left' | 'failed'): void {
    if (this.#withdrawn.get(owner) === reason) return
    this.#withdrawn.set(owner, reason)
    this.#onChange(owner)
  }

  #release(owner: string): void {
    this.#holds.get(owner)?.cancel()
    this.#holds.delete(owner)
    this.#deferred.delete(owner)
  }
}
