import type { SyncHandle } from '../dissemination/anti-entropy.ts'
import type { NewsSource } from '../dissemination/gossip.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { SyncDomain, SyncOutcome } from '../dissemination/sync-session.ts'
import { HearsayError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { type EntryEvent, tableOf } from '../wire/entry-event.ts'
import { compareEpochs, type EpochId, epochTime } from '../wire/epoch.ts'
import { MAX_PROBE_DIGESTS, type ProbeDigest } from '../wire/messages.ts'
import { HybridClock } from './hybrid-clock.ts'
import { Joined, type JoinedHost } from './joined.ts'
import { JointSyncs } from './joint-syncs.ts'
import { Network, type NetworkHost } from './network.ts'
import type { Owners } from './owners.ts'
import type { ParkingSpace } from './parking.ts'
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
  sync(peer: Peer, onEnd: (outcome: SyncOutcome) => void): SyncHandle
  /** A peer's digest of a network did or did not equal ours. */
  compared(network: SyncDomain, equal: boolean, peer: Peer, prove?: () => void): void
  /** What a peer has told of a network could not be taken in singly. */
  lacking(network: SyncDomain, peer: Peer): void
  /** More was written in a network than gossip carries well. */
  offer(network: string): void
  offering(network: string): boolean
  /** Tells a peer what state of a network this node has. */
  tell(peer: Peer, digest: ProbeDigest): void
  /** A peer has told its state of a network. */
  offered(equal: boolean, peer: Peer, prove?: () => void): void
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

/** Participants told of an offer at once. */
const OFFERS_AT_ONCE = 3

/** What the network looks like: the built-in network, and those that this node has joined. */
export class NetworkState {
  readonly builtIn: Replica
  readonly #runtime: Runtime
  readonly #options: NetworkStateOptions
  readonly #host: NetworkStateHost
  readonly #clock: HybridClock
  readonly #withdrawal: Withdrawal
  readonly #syncs: JointSyncs
  readonly #parking: ParkingSpace = { taken: 0 }
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
    this.#syncs = new JointSyncs(runtime, (peer, onEnd) => host.sync(peer, onEnd))
    this.builtIn = new Replica(BUILT_IN, {
      ...this.#replicaHost(),
      offer: () => host.offer(BUILT_IN),
      offering: () => host.offering(BUILT_IN),
      epochOf: (owner) => host.owners.epoch(owner),
      lacking: (owner) => this.#lacking(this.builtIn, owner),
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

  /** Networks joined, those still being joined left out. */
  get networkCounts(): { readonly joined: number; readonly notSynced: number } {
    const networks = [...this.#joined.values()].flatMap(({ network }) => network ?? [])
    return { joined: networks.length, notSynced: networks.filter(({ synced }) => !synced).length }
  }

  /**
   * The built-in network's first, then those being joined, then the others', beginning with another one each time: a session takes
   * a bounded number.
   */
  domains(): SyncDomain[] {
    const joining: SyncDomain[] = []
    const open: SyncDomain[] = []
    for (const { own, domain } of this.#replicas.values()) (own === undefined ? joining : open).push(domain)
    const first = open.length === 0 ? 0 : this.#runtime.randomUint32() % open.length
    return [this.builtIn.domain, ...joining, ...open.slice(first), ...open.slice(0, first)]
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

  /** `encoded`: the event's message as it came; a view of the packet will do. */
  onEvent(event: EntryEvent, encoded?: Uint8Array): void {
    if (event.network === BUILT_IN) {
      if (!this.#wasWithdrawn(event)) this.builtIn.onEvent(event, encoded)
    } else this.#replicas.get(event.network)?.onEvent(event, encoded)
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
    const left = this.#host.owners.status(owner) === 'left'
    for (const replica of this.replicas()) {
      // What was withdrawn is not to come back with the owner's next life.
      if (left) replica.forget(owner)
      replica.ownerChanged(owner)
    }
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

  /** With `prove` it is not sure that the peer has said so: see `AntiEntropy.compare`. */
  compareDigests(digests: readonly ProbeDigest[], peer: Peer, prove?: () => void): void {
    for (const { network, digest } of digests) {
      const replica = this.#byId.get(network)
      if (replica === undefined) continue
      const equal = replica.agrees(digest, peer)
      if (equal && prove === undefined && !replica.synced && replica.mayHear(peer)) replica.tookOver()
      this.#host.compared(replica.domain, equal, peer, prove)
    }
  }

  /** Tells some participants this node's state of a network, so that they fetch what they lack. */
  tell(network: string): void {
    const replica = network === BUILT_IN ? this.builtIn : this.#replicas.get(network)
    if (replica === undefined) return
    const random = (): number => this.#runtime.randomUint32()
    for (const peer of sample(replica.peers(), OFFERS_AT_ONCE, random))
      this.#host.tell(peer, digestOf(replica))
  }

  onOffer(digests: readonly ProbeDigest[], peer: Peer, prove?: () => void): void {
    for (const { network, digest } of digests) {
      const replica = this.#byId.get(network)
      if (replica?.mayHear(peer)) this.#host.offered(replica.agrees(digest, peer), peer, prove)
    }
  }

  /** The network once its state has been taken over, or none of its participants has answered in time. */
  joinNetwork(name: string, signal?: AbortSignal): Promise<Network> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    const joined = this.#joined.get(name) ?? this.#begin(name)
    return joined.wait(signal)
  }

  /** Throws `ERR_NETWORK_NOT_JOINED`. */
  network(name: string): Network {
    const network = this.#joined.get(name)?.network
    if (network !== undefined) return network
    const message = `Network '${name}' is not joined at this node; await joinNetwork('${name}') first.`
    throw new HearsayError('ERR_NETWORK_NOT_JOINED', message)
  }

  participants(network: string): string[] {
    const owners = this.builtIn.view.owners(participationKey(network))
    return owners.filter((owner) => this.builtIn.visible(owner)).sort()
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
    const key = participationKey(name)
    const replica: Replica = new Replica(name, {
      ...this.#replicaHost(),
      epochOf: () => undefined,
      lacking: (owner) => this.#lacking(replica, owner),
      offer: () => this.#host.offer(name),
      offering: () => this.#host.offering(name),
      takesPart: (owner) => this.#takesPart(owner, key),
      peers: () => this.#peersIn(key),
      epochOpened: (epoch, base) => this.builtIn.write(key, encodeParticipation({ epoch, base })),
      entryChanged() {},
    })
    this.#replicas.set(name, replica)
    this.#byId.set(replica.id, replica)
    this.#host.addSource(replica)
    for (const owner of this.builtIn.view.owners(key)) this.#participationChanged(owner, key)
    const joined = new Joined(replica, this.#joinedHost)
    this.#joined.set(name, joined)
    joined.start()
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

  /** Whether it is what still travels of the life of a member that has left: nothing of that is to come back. */
  #wasWithdrawn({ owner, epoch }: EntryEvent): boolean {
    const { owners } = this.#host
    const last = owners.epoch(owner)
    return owners.status(owner) === 'left' && last !== undefined && compareEpochs(epoch, last) <= 0
  }

  /** Both by the key of the network's participations. */
  #takesPart(owner: string, key: string): boolean {
    return this.builtIn.entry(owner, key) !== undefined && this.#host.owners.status(owner) !== undefined
  }

  /** The owner itself never has more to tell than there is room for here. */
  #lacking(replica: Replica, owner: string): void {
    const peer = this.#host.owners.peer(owner)
    if (peer !== undefined) this.#host.lacking(replica.domain, peer)
  }

  #peersIn(key: string): Peer[] {
    const { owners, self } = this.#host
    return this.builtIn.view.owners(key).flatMap((owner) => {
      const peer = owner === self ? undefined : owners.peer(owner)
      return peer === undefined ? [] : [peer]
    })
  }

  #replicaHost(): Omit<
    ReplicaHost,
    'offer' | 'offering' | 'takesPart' | 'peers' | 'epochOpened' | 'entryChanged' | 'epochOf' | 'lacking'
  > {
    const { self, owners } = this.#host
    return {
      self,
      runtime: this.#runtime,
      clock: this.#clock,
      parking: this.#parking,
      retransmitMultiplier: this.#options.retransmitMultiplier,
      reachable: (owner) => owners.status(owner) === 'reachable',
      visible: (owner) => owners.status(owner) !== undefined && this.#withdrawal.reason(owner) === undefined,
      announce: () => this.#host.announce(),
      mayRaise: () => this.#host.mayRaise(),
    }
  }

  get #joinedHost(): JoinedHost {
    return {
      runtime: this.#runtime,
      owners: this.#host.owners,
      syncTimeoutMs: this.#options.syncTimeoutMs,
      sync: (peer, onEnd) => this.#syncs.sync(peer, onEnd),
      awaits: (peer) => this.#syncs.awaits(peer),
      open: (replica, synced) => this.#opened(replica, synced),
      drop: (replica) => this.#drop(replica),
    }
  }

  get #networkHost(): NetworkHost {
    return {
      self: this.#host.self,
      runtime: this.#runtime,
      hiddenBecause: (network, owner) => {
        const reason = this.#withdrawal.reason(owner)
        if (reason !== undefined) return reason
        const takesPart = owner === this.#host.self || this.#takesPart(owner, participationKey(network))
        return takesPart ? undefined : 'left'
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
