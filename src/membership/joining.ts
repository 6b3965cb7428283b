import { sample } from '../dissemination/peer.ts'
import type { SyncOutcome } from '../dissemination/sync-session.ts'
import { HearsayError } from '../errors.ts'
import { formatAddress, parseAddress } from '../runtime/address.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { backedOff, Pace, shareOf } from './pace.ts'

/** Where to look for other members: addresses, or a function that is asked anew at every try. */
export type Seeds = readonly string[] | (() => readonly string[] | Promise<readonly string[]>)

export interface JoiningOptions {
  readonly joinTimeoutMs: number
  readonly healIntervalMs: number
}

export interface JoiningHost {
  isSelf(address: string): boolean
  sync(address: string, onEnd: (outcome: SyncOutcome) => void): { abort(): void }
  /** Members that live as far as this node knows, itself included. */
  liveCount(): number
  /** Whether a live member has this address. */
  knows(address: string): boolean
}

/**
 * An address is contacted when the one before has answered or failed, or after this long: so that a silent seed holds nobody up,
 * and the second one to answer has only differences left to tell.
 */
const HEAD_START_MS = 250

/**
 * Finds the others: contacts seeds by a sync each, once on demand, and in the background for ever.
 *
 * While alone, a node tries all seeds, at intervals that back off. Later it goes on with those where no member is known to live: two
 * parts of a cluster that share no address any more meet there. As with failed members (`Healing`) the rate is
 * that of the cluster: one seed is tried in `backedOff` by all nodes together. It is as high as at first again whenever
 * a member is lost, since many may be.
 */
export class Joining {
  readonly #runtime: Runtime
  readonly #options: JoiningOptions
  readonly #host: JoiningHost
  readonly #running = new Set<(reason: unknown) => void>()
  readonly #pace: Pace
  #missingSince: number
  #timer: Timer | undefined
  #stopped = false

  constructor(runtime: Runtime, options: JoiningOptions, host: JoiningHost) {
    this.#runtime = runtime
    this.#options = options
    this.#host = host
    this.#pace = new Pace(this.#fraction())
    this.#missingSince = runtime.now()
  }

  /**
   * How many of the seeds have answered once one of them has; the others are heard in the background. Undefined if there are none
   * but this node itself.
   * Rejects if aborted.
   */
  async joinSeeds(seeds: Seeds, signal?: AbortSignal): Promise<number | undefined> {
    // Where the seeds come from may be out of order, as any seed may be.
    const list = typeof seeds === 'function' ? await this.#ask(seeds) : seeds
    if (list === undefined) return 0
    const others = list.filter((seed) => !this.#host.isSelf(seed))
    return others.length === 0 ? undefined : this.join(others, signal, 1)
  }

  /** How many of the addresses answered in time, or `enough` of them. Rejects with the signal's reason. */
  async join(
    seeds: readonly string[],
    signal?: AbortSignal,
    enough: number = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    signal?.throwIfAborted()
    const addresses = await this.#resolve(seeds)
    signal?.throwIfAborted()
    if (this.#stopped) throw closed()
    return new Promise((resolve, reject) => this.#contact(addresses, enough, signal, resolve, reject))
  }

  /** Goes on trying in the background, with jitter. */
  start(seeds: Seeds): void {
    if (this.#stopped || (typeof seeds !== 'function' && seeds.length === 0)) return
    const { healIntervalMs } = this.#options
    const delayMs = healIntervalMs * (0.75 + 0.5 * this.#fraction())
    this.#timer = this.#runtime.setTimer(delayMs, () => {
      const again = (): void => this.start(seeds)
      const live = this.#host.liveCount()
      const commonMs = backedOff(healIntervalMs, this.#runtime.now() - this.#missingSince)
      if (!this.#pace.due(delayMs, shareOf(commonMs, live, healIntervalMs))) again()
      else if (live === 1) this.joinSeeds(seeds).then(again, again)
      else this.#tryUnknown(seeds).then(again, again)
    })
  }

  /** A member has failed: perhaps it is the network that is cut. */
  lost(): void {
    this.#missingSince = this.#runtime.now()
  }

  /** Ends what is under way. */
  abort(reason: unknown): void {
    for (const abort of [...this.#running]) abort(reason)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.abort(closed())
  }

  /** Contacts one of the seeds where no member is known to live. */
  async #tryUnknown(seeds: Seeds): Promise<void> {
    const list = typeof seeds === 'function' ? await this.#ask(seeds) : seeds
    const addresses = await this.#resolve(list ?? [])
    const [address] = sample(
      addresses,
      1,
      () => this.#runtime.randomUint32(),
      (one) => !this.#host.knows(one),
    )
    if (address !== undefined) await this.join([address])
  }

  #fraction(): number {
    return this.#runtime.randomUint32() / 0x1_0000_0000
  }

  async #ask(
    seeds: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<readonly string[] | undefined> {
    try {
      const list = await seeds()
      for (const seed of list) parseAddress(seed)
      return list
    } catch {
      return undefined
    }
  }

  /** All addresses of all names, without this node's own. What cannot be resolved is passed over. */
  async #resolve(seeds: readonly string[]): Promise<string[]> {
    const resolved = await Promise.all(
      seeds.map(async (seed) => {
        const { host, port, family } = parseAddress(seed)
        if (family !== undefined) return [formatAddress(host, port)]
        const hosts = await this.#runtime.resolve(host).catch((): string[] => [])
        return hosts.map((ip) => formatAddress(ip, port))
      }),
    )
    return [...new Set(resolved.flat())].filter((address) => !this.#host.isSelf(address))
  }

  #contact(
    addresses: string[],
    enough: number,
    signal: AbortSignal | undefined,
    resolve: (answered: number) => void,
    reject: (reason: unknown) => void,
  ): void {
    const waiting = addresses.slice()
    const syncs = new Set<{ abort(): void }>()
    let answered = 0
    let settled = false
    let headStart: Timer | undefined
    const settle = (end: () => void): void => {
      if (settled) return
      settled = true
      this.#running.delete(abort)
      signal?.removeEventListener('abort', onSignal)
      timeout.cancel()
      headStart?.cancel()
      for (const sync of syncs) sync.abort()
      end()
    }
    const abort = (reason: unknown): void => settle(() => reject(reason))
    const onSignal = (): void => abort(signal?.reason)
    const timeout = this.#runtime.setTimer(this.#options.joinTimeoutMs, () => settle(() => resolve(answered)))
    this.#running.add(abort)
    signal?.addEventListener('abort', onSignal)
    const next = (): void => {
      headStart?.cancel()
      if (settled) return
      const address = waiting.shift()
      if (address === undefined) {
        if (syncs.size === 0) settle(() => resolve(answered))
        return
      }
      const sync = this.#host.sync(address, (outcome) => {
        syncs.delete(sync)
        if (outcome.ok && ++answered === enough) resolve(answered)
        next()
      })
      syncs.add(sync)
      if (waiting.length > 0) headStart = this.#runtime.setTimer(HEAD_START_MS, next)
    }
    next()
  }
}

function closed(): HearsayError {
  return new HearsayError('ERR_CLOSED', 'This node was closed before it had joined.')
}
