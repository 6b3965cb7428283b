import type { Network } from './network.ts'
import type { Replica } from './replica.ts'
import { Takeover, type TakeoverHost } from './takeover.ts'

export interface JoinedHost extends Omit<TakeoverHost, 'peers' | 'settled'> {
  /** Bound on the takeover. */
  readonly syncTimeoutMs: number
  /** State was taken over, or there was none to be had: opens this node's log. */
  open(replica: Replica, synced: boolean): Network
  /** The network is not wanted any more. */
  drop(replica: Replica): void
}

/** A network from when it is first asked for: its state is taken over, then it is opened, unless everyone who asked gives up. */
export class Joined {
  readonly replica: Replica
  readonly #host: JoinedHost
  readonly #takeover: Takeover
  readonly #ready: Promise<Network>
  #reject: (reason: unknown) => void = () => {}
  #network: Network | undefined
  /** How many callers wait for it, or have it. */
  #callers = 0

  constructor(replica: Replica, host: JoinedHost) {
    this.replica = replica
    this.#host = host
    let resolve: (network: Network) => void = () => {}
    this.#ready = new Promise((...settle) => {
      ;[resolve, this.#reject] = settle
    })
    // Callers see it by their own promises.
    this.#ready.catch(() => {})
    const settled = (synced: boolean): void => {
      this.#network = host.open(replica, synced)
      resolve(this.#network)
    }
    const takeoverHost: TakeoverHost = { ...host, peers: () => replica.peers(), settled }
    this.#takeover = new Takeover(replica.name, takeoverHost, host.syncTimeoutMs)
  }

  /** Once it was taken over. */
  get network(): Network | undefined {
    return this.#network
  }

  start(): void {
    this.#takeover.start()
  }

  /** The network once it was taken over. The signal ends this caller's wait; whoever else asked still gets it. */
  wait(signal: AbortSignal | undefined): Promise<Network> {
    this.#callers++
    if (signal === undefined) return this.#ready
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason)
        if (--this.#callers === 0) this.abort(signal.reason)
      }
      signal.addEventListener('abort', abort)
      this.#ready.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    })
  }

  /** Gives up, if it was not taken over yet. */
  abort(reason: unknown): void {
    if (this.#network !== undefined) return
    this.#takeover.end()
    this.#host.drop(this.replica)
    this.#reject(reason)
  }
}
