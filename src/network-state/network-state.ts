import type { NewsSource } from '../dissemination/gossip.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { SyncDomain, SyncOutcome } from '../dissemination/sync-session.ts'
import { HearsayError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { type EntryEvent, tableOf } from '../wire/entry-event.ts'
import { compareEpochs, type EpochId, epochTime } from '../wire/epoch.ts'
import { MAX_PROBE_DIGESTS, type ProbeDigest } from '../wire/messages.ts'
import { HybridClock } from './hybrid-clock.ts'
import { Network, type NetworkHost } from './network.ts'
import type { Owners } from './owners.ts'
import {
  BUILT_IN,
  decodeParticipation,
  encodeParticipation,
  NETWORKS_TABLE,
  participationKey,
} from './participation.ts'
import { Replica, type ReplicaHost } from './replica.ts'
import { Withdrawal, type WithdrawalOptions } from './withdrawal.ts'

export interface NetworkStateOptions extends WithdrawalOptions {
  readonly retransmitMultiplier: number
  /** Bound on the first sync of a network. */
  readonly syncTimeoutMs: number
  /** How long entries of a former life stay without being declared anew; 0: not at all. */
  readonly inheritMs: number
}

/** What network state asks of the node that it serves. */
export interface NetworkStateHost {
  readonly self: string
  readonly owners: Owners
  announce(): void
  addSource(source: NewsSource): void
  removeSource(source: NewsSource): void
  /** Compares all state with a peer. */
  sync(peer: Peer, onEnd: (outcome: SyncOutcome) => void): { abort(): void }
  /** A peer's digest of a network did or did not equal ours. */
  compared(network: SyncDomain, equal: boolean, peer: Peer): void
  /** This node no longer has a network. */
  forgotten(network: string): void
  /** Whether this node may open epochs above what others know under its name: not while that may be a twin that lives. */
  mayRaise(): boolean
  /** The log in the built-in network opened an epoch; the member's has to be the same. */
  epochOpened(id: EpochId): void
  undecodable(network: string, table: string, key: string, owner: string, cause: unknown): void
  notSynced(network: string): void
  checkName(what: string, name: string): void
}

/** Peers asked at once for a network's state at joining, and until one has given it. */
const PARALLEL_SYNCS = 3
/** Members asked who takes part, where nobody is known to. */
const SCOUTS = 2

interface Joined {
  readonly replica: Replica
  /** Settles once the network was taken over. */
  readonly ready: Promise<Network>
  network: Network | undefined
  /** How many callers want it. */
  waiting: number
  /** Gives up, if it is not ready. */
  abort(reason: unknown): void
}

/** What the network looks like: the built-in network, and those that this node has joined. */
export class NetworkState {
  readonly builtIn: Replica
  readonly #runtime: Runtime
  readonly #options: NetworkStateOptions
  readonly #host: NetworkStateHost
  readonly #clock: HybridClock
  readonly #withdrawal: Withdrawal
  readonly #joined = new Map<string, Joined>()
  /** Networks joined or being joined. */
  readonly #replicas = new Map<string, Replica>()
  readonly #byId = new Map<number, Replica>()
  /** Networks that this process has left: what others still remember of it there was withdrawn. */
  readonly #left = new Set<string>()
  #turn = 0
  #closed = false
  /** Why this node writes no more. */
  #lost: HearsayError | undefined

  constructor(runtime: Runtime, options: NetworkStateOptions, host: NetworkStateHost) {
    this.#runtime = runtime
    this.#options = options
    this.#host = host
    this.#clock = new HybridClock(() => runtime.wallClock())
    this.#withdrawal = new Withdrawal(runtime, options, host.owners, (owner) => {
      for (const replica of this.replicas()) replica.ownerChanged(owner)
    })
    this.builtIn = new Replica(BUILT_IN, {
      ...this.#replicaHost(),
      takesPart: (owner) => host.owners.status(owner) !== undefined,
      peers: () => host.owners.peers(),
      epochOpened: (id) => host.epochOpened(id),
      entryChanged: (owner, key) => this.#participationChanged(owner, key),
    })
    this.#byId.set(this.builtIn.id, this.builtIn)
    host.addSource(this.builtIn)
  }

  /** All replicas of this node, the built-in network's first. */
  *replicas(): Generator<Replica> {
    yield this.builtIn
    yield* this.#replicas.values()
  }

  /** The built-in network's first, then the others', beginning with another one each time: a session takes a bounded number. */
  domains(): SyncDomain[] {
    const networks = [...this.#replicas.values()].map((replica) => replica.domain)
    const first = networks.length === 0 ? 0 : this.#runtime.randomUint32() % networks.length
    return [this.builtIn.domain, ...networks.slice(first), ...networks.slice(0, first)]
  }

  /** Opens this node's log in the built-in network, once what others remember of it has been read. */
  open(epoch: EpochId): void {
    this.builtIn.open(epoch, this.#options.inheritMs > 0)
    const inherited = [...this.builtIn.keysOf(this.#host.self)]
    if (inherited.length === 0) return
    this.#runtime.setTimer(this.#options.inheritMs, () => {
      for (const key of inherited) {
        const network = key.slice(NETWORKS_TABLE.length + 1)
        if (!this.#closed && !this.#replicas.has(network)) this.builtIn.write(key, undefined)
      }
    })
  }

  /** The member's epoch was raised to this one; the built-in network's log has to follow. */
  epochRaised(epoch: EpochId): void {
    const own = this.builtIn.own
    if (own !== undefined && compareEpochs(epoch, own.id) > 0) {
      this.builtIn.bump({ time: epoch.time - 1, nonce: epoch.nonce })
    }
  }

  /** Another live process has this node's name by better right: the logs under it are that one's, and this node only reads. */
  nameLost(conflict: HearsayError): void {
    if (this.#lost !== undefined) return
    this.#lost = conflict
    for (const joined of [...this.#joined.values()]) joined.abort(conflict)
    for (const replica of this.replicas()) replica.disown()
  }

  onEvent(event: EntryEvent): void {
    if (event.network === BUILT_IN) this.builtIn.onEvent(event)
    else this.#replicas.get(event.network)?.onEvent(event)
  }

  /** Whether more waits to be gossiped in a network than a few packets carry. */
  backlogged(network: string): boolean {
    const replica = network === BUILT_IN ? this.builtIn : this.#replicas.get(network)
    return replica?.backlogged ?? false
  }

  /** A random participant of a network that this node takes part in, too. */
  randomPeer(network: string): Peer | undefined {
    const participants = this.#replicas.get(network)?.peers() ?? []
    return sample(participants, 1, () => this.#runtime.randomUint32())[0]
  }

  /** A member became known or changed its standing. */
  ownerChanged(owner: string): void {
    this.#withdrawal.update(owner)
    for (const replica of this.replicas()) replica.ownerChanged(owner)
  }

  /** A member is no longer remembered. */
  ownerForgotten(owner: string): void {
    for (const replica of this.replicas()) replica.forget(owner)
    this.#withdrawal.update(owner)
  }

  isolationChanged(): void {
    this.#withdrawal.isolationChanged()
  }

  /** Digests of the networks shared with a peer, the built-in one always, of the others a rotating selection. */
  digestsFor(peer: Peer): readonly ProbeDigest[] {
    const digests = [digestOf(this.builtIn)]
    if (this.#replicas.size === 0) return digests
    const shared = [...this.#replicas.values()].filter((replica) => replica.mayHear(peer))
    const room = Math.min(shared.length, MAX_PROBE_DIGESTS - 1)
    for (let i = 0; i < room; i++) digests.push(digestOf(shared[(this.#turn + i) % shared.length]!))
    this.#turn += room
    return digests
  }

  compareDigests(digests: readonly ProbeDigest[], peer: Peer): void {
    for (const { network, digest } of digests) {
      const replica = this.#byId.get(network)
      if (replica !== undefined) this.#host.compared(replica.domain, replica.digest().low === digest, peer)
    }
  }

  /** The network once its state has been taken over, or none of its participants has answered in time. */
  joinNetwork(name: string, signal?: AbortSignal): Promise<Network> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    const joined = this.#joined.get(name) ?? this.#begin(name)
    joined.waiting++
    if (signal === undefined) return joined.ready
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason)
        // Whoever else asked for the network still gets it.
        if (--joined.waiting === 0) joined.abort(signal.reason)
      }
      signal.addEventListener('abort', abort)
      joined.ready.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    })
  }

  /** Throws `ERR_NETWORK_NOT_JOINED`. */
  network(name: string): Network {
    const network = this.#joined.get(name)?.network
    if (network !== undefined) return network
    const message = `Network '${name}' is not joined at this node; await joinNetwork('${name}') first.`
    throw new HearsayError('ERR_NETWORK_NOT_JOINED', message)
  }

  participants(network: string): string[] {
    const others = this.builtIn.view.claims(participationKey(network)).filter(({ hidden }) => !hidden)
    return others.map(({ owner }) => owner).sort()
  }

  /** Ends everything at once, without telling others. */
  close(): void {
    this.#closed = true
    this.#withdrawal.stop()
    const reason = new HearsayError('ERR_CLOSED', 'The node was closed while a network was being joined.')
    for (const joined of this.#joined.values()) {
      joined.abort(reason)
      joined.network?.end()
    }
  }

  #begin(name: string): Joined {
    const replica = new Replica(name, {
      ...this.#replicaHost(),
      takesPart: (owner) => this.#takesPart(owner, name),
      peers: () => this.#peersIn(name),
      epochOpened: (epoch, base) =>
        this.builtIn.write(participationKey(name), encodeParticipation({ epoch, base })),
      entryChanged() {},
    })
    this.#replicas.set(name, replica)
    this.#byId.set(replica.id, replica)
    this.#host.addSource(replica)
    for (const owner of this.builtIn.view.owners(participationKey(name))) {
      this.#participationChanged(owner, participationKey(name))
    }
    const taking = this.#takeOver(replica)
    const joined: Joined = {
      replica,
      network: undefined,
      waiting: 0,
      ready: taking.done.then((synced) => {
        const network = this.#opened(replica, synced)
        joined.network = network
        return network
      }),
      abort: (reason) => {
        if (joined.network !== undefined) return
        this.#drop(replica)
        taking.abort(reason)
      },
    }
    joined.ready.catch(() => {})
    this.#joined.set(name, joined)
    return joined
  }

  #opened(replica: Replica, synced: boolean): Network {
    const { inheritMs } = this.#options
    const time = epochTime(this.#runtime.wallClock())
    const inherits = inheritMs > 0 && !this.#left.has(replica.name)
    replica.open({ time, nonce: this.#runtime.randomUint32() }, inherits)
    const network = new Network(replica, this.#networkHost)
    if (inheritMs > 0) network.expireInherited(inheritMs)
    if (synced) replica.tookOver()
    else this.#host.notSynced(replica.name)
    return network
  }

  /**
   * Syncs with participants, a few at a time, until one of them has given its state. Who takes part may be news that is still
   * under way; so where nobody seems to, some other members are asked first.
   */
  #takeOver(replica: Replica): { done: Promise<boolean>; abort(reason: unknown): void } {
    const random = (): number => this.#runtime.randomUint32()
    const asked = new Set<string>()
    const running = new Set<{ abort(): void }>()
    let settle: (synced: boolean) => void = () => {}
    let fail: (reason: unknown) => void = () => {}
    const done = new Promise<boolean>((resolve, reject) => {
      settle = resolve
      fail = reject
    })
    let finished = false
    const finish = (end: () => void): void => {
      if (finished) return
      finished = true
      timeout.cancel()
      for (const sync of running) sync.abort()
      end()
    }
    const timeout = this.#runtime.setTimer(this.#options.syncTimeoutMs, () => finish(() => settle(false)))
    let scouts = SCOUTS
    const nextPeer = (): Peer | undefined => {
      const notAsked = (peer: Peer): boolean => !asked.has(peer.name)
      const participants = replica.peers()
      if (participants.length > 0) return sample(participants, 1, random, notAsked)[0]
      return scouts-- > 0 ? sample(this.#host.owners.peers(), 1, random, notAsked)[0] : undefined
    }
    const askNext = (): void => {
      const peer = nextPeer()
      if (peer === undefined) {
        // Whoever takes part alone has nothing to take over.
        if (running.size === 0) finish(() => settle(replica.peers().length === 0))
        return
      }
      asked.add(peer.name)
      const sync = this.#host.sync(peer, (outcome) => {
        running.delete(sync)
        if (finished) return
        if (outcome.ok && outcome.common.includes(replica.name)) finish(() => settle(true))
        else askNext()
      })
      running.add(sync)
    }
    for (let i = 0; i < PARALLEL_SYNCS && !finished; i++) askNext()
    return { done, abort: (reason) => finish(() => fail(reason)) }
  }

  #leave(network: Network): void {
    network.end()
    const joined = this.#joined.get(network.name)
    if (joined?.network !== network) return
    this.#left.add(network.name)
    this.#drop(joined.replica)
    if (!this.#closed) this.builtIn.write(participationKey(network.name), undefined)
  }

  #drop(replica: Replica): void {
    replica.close()
    this.#joined.delete(replica.name)
    this.#replicas.delete(replica.name)
    this.#byId.delete(replica.id)
    this.#host.removeSource(replica)
    this.#host.forgotten(replica.name)
  }

  /** An owner's entry in the built-in network has changed: it joins, leaves, or opens a new log in a network. */
  #participationChanged(owner: string, key: string): void {
    if (owner === this.#host.self || tableOf(key) !== NETWORKS_TABLE) return
    const replica = this.#replicas.get(key.slice(NETWORKS_TABLE.length + 1))
    if (replica === undefined) return
    const value = this.builtIn.entry(owner, key)?.value
    const participation = value && decodeParticipation(value)
    if (participation === undefined) {
      replica.participationEnded(owner)
    } else {
      replica.expectEpoch(owner, participation.epoch, participation.base)
    }
    replica.ownerChanged(owner)
  }

  #takesPart(owner: string, network: string): boolean {
    return (
      this.builtIn.entry(owner, participationKey(network)) !== undefined &&
      this.#host.owners.status(owner) !== undefined
    )
  }

  #peersIn(network: string): Peer[] {
    const { owners, self } = this.#host
    return this.builtIn.view.owners(participationKey(network)).flatMap((owner) => {
      const peer = owner === self ? undefined : owners.peer(owner)
      return peer === undefined ? [] : [peer]
    })
  }

  #replicaHost(): Omit<ReplicaHost, 'takesPart' | 'peers' | 'epochOpened' | 'entryChanged'> {
    const { self, owners } = this.#host
    return {
      self,
      runtime: this.#runtime,
      clock: this.#clock,
      retransmitMultiplier: this.#options.retransmitMultiplier,
      reachable: (owner) => owners.status(owner) === 'reachable',
      visible: (owner) => owners.status(owner) !== undefined && this.#withdrawal.reason(owner) === undefined,
      announce: () => this.#host.announce(),
      mayRaise: () => this.#host.mayRaise(),
    }
  }

  get #networkHost(): NetworkHost {
    return {
      self: this.#host.self,
      runtime: this.#runtime,
      hiddenBecause: (network, owner) => {
        const reason = this.#withdrawal.reason(owner)
        if (reason !== undefined) return reason
        return owner === this.#host.self || this.#takesPart(owner, network) ? undefined : 'left'
      },
      participants: (network) => this.participants(network),
      undecodable: (network, table, key, owner, cause) =>
        this.#host.undecodable(network, table, key, owner, cause),
      leaveNetwork: (network) => this.#leave(network),
      checkWritable: () => {
        if (this.#lost !== undefined) throw this.#lost
      },
      checkTableName: (name) => this.#host.checkName('table name', name),
    }
  }
}

function digestOf(replica: Replica): ProbeDigest {
  return { network: replica.id, digest: replica.digest().low }
}
