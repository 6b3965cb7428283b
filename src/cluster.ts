import { ClusterKeys } from './cluster-keys.ts'
import { AntiEntropy, type SyncHandle } from './dissemination/anti-entropy.ts'
import { Gossip } from './dissemination/gossip.ts'
import type { SyncDomain, SyncOutcome } from './dissemination/sync-session.ts'
import { DropWarnings, noSeedAnswered } from './dropped.ts'
import { HearsayError } from './errors.ts'
import { type ClusterEvents, EventQueue, type Listener, type MemberSnapshot } from './events.ts'
import { firstRecord } from './first-record.ts'
import { Inbound } from './inbound.ts'
import { type Listening, listen } from './listen.ts'
import { MemberOwners } from './member-owners.ts'
import { nameConflict } from './membership/identity.ts'
import { Joining } from './membership/joining.ts'
import type { Member, Verdict } from './membership/member.ts'
import { Membership } from './membership/membership.ts'
import { pingByStream } from './membership/stream-ping.ts'
import { collectMetrics, type Metrics } from './metrics.ts'
import type { Network } from './network-state/network.ts'
import { NetworkState } from './network-state/network-state.ts'
import {
  type ClusterOptions,
  checkMetadata,
  checkName,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts'
import { ProvenSessions } from './proven-sessions.ts'
import { parseAddress } from './runtime/address.ts'
import { NodeRuntime } from './runtime/node-runtime.ts'
import { ScopedRuntime } from './runtime/scoped-runtime.ts'
import type { RotateOptions } from './security/key-rotation.ts'
import type { SecureTransport, SecureTransportHandlers } from './security/secure-transport.ts'
import { EVENT_OF, snapshot } from './snapshot.ts'
import { Topology } from './topology/topology.ts'
import type { MemberRecord } from './wire/member-record.ts'
import { writeOffer } from './wire/messages.ts'

/** How often `leave` looks whether everything has been told. */
const LEAVE_POLL_MS = 10

type State = 'starting' | 'running' | 'leaving' | 'closed'

/**
 * One node of one cluster. Composed from the rooms: membership says who lives, network state what the network looks like,
 * dissemination carries both.
 */
export class Cluster {
  readonly #options: ResolvedOptions
  readonly #runtime: ScopedRuntime
  readonly #transport: SecureTransport
  readonly #events: EventQueue
  readonly #gossip: Gossip
  readonly #antiEntropy: AntiEntropy
  readonly #membership: Membership
  readonly #keys: ClusterKeys
  readonly #networkState: NetworkState
  readonly #topology: Topology
  readonly #joining: Joining
  readonly #inbound: Inbound
  readonly #sessions: ProvenSessions
  #state: State = 'starting'
  #twin: MemberRecord | undefined
  #closing: Promise<void> | undefined
  #leaving: Promise<void> | undefined
  #settleClosed: () => void = () => {}
  #failClosed: (cause: unknown) => void = () => {}
  /** Resolves when the node has closed; rejects with `ERR_RUNTIME` if the platform failed under it. */
  readonly closed: Promise<void>

  /**
   * Binds, tries the seeds once, and takes part. Rejects for options that are not valid (see `ErrorCode`), with `ERR_BIND_FAILED`,
   * with `ERR_NAME_CONFLICT`, or with the signal's reason. Seeds that do not answer are a warning: they are tried again
   * in the background.
   */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const resolved = resolveOptions(options)
    options.signal?.throwIfAborted()
    const runtime = new ScopedRuntime(options.runtime ?? new NodeRuntime())
    let cluster: Cluster | undefined
    let handlers: SecureTransportHandlers | undefined
    const listening = await listen(runtime, resolved, () => handlers)
    try {
      cluster = new Cluster(resolved, runtime, listening)
      handlers = cluster.#handlers()
      await cluster.#begin(options.signal)
      return cluster
    } catch (error) {
      await (cluster === undefined ? listening.transport.close() : cluster.close())
      throw error
    }
  }

  private constructor(options: ResolvedOptions, runtime: ScopedRuntime, listening: Listening) {
    const { transport } = listening
    this.#options = options
    this.#runtime = runtime
    this.#transport = transport
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = resolve
      this.#failClosed = reject
    })
    // Nobody has to listen.
    this.closed.catch(() => {})
    this.#events = new EventQueue(runtime)
    this.#sessions = new ProvenSessions(transport)
    this.#topology = new Topology(() => runtime.randomUint32())
    this.#gossip = new Gossip(runtime, options, (to, body) => transport.send(to, body))
    this.#antiEntropy = new AntiEntropy(runtime, options, {
      name: options.name,
      domains: () => this.#domains(),
      connect: (to, handlers) => transport.connect(to, handlers),
      randomPeer: (domain) =>
        (domain === undefined ? undefined : this.#networkState.randomPeer(domain)) ??
        this.#membership.randomPeer(),
      gossiping: () => this.#gossip.busy,
      backlogged: (domain) =>
        domain === this.#membership.domain.name
          ? this.#membership.backlogged
          : this.#networkState.backlogged(domain),
      tell: (domain) => this.#networkState.tell(domain),
    })
    const first = firstRecord(options, runtime, transport.address, transport.keyring?.ids ?? [])
    this.#membership = new Membership(runtime, options, first, {
      send: (to, peer, write) => this.#gossip.sendFilled(to, peer, write),
      announce: () => this.#gossip.announce(),
      witness: (to, timeoutMs, onResult) => transport.witness(to, timeoutMs, onResult),
      streamPing: (to, id, nonce, timeoutMs, onAck) =>
        pingByStream(runtime, (handlers) => transport.connect(to, handlers), { id, nonce }, timeoutMs, onAck),
      digestsFor: (member) => this.#networkState.digestsFor(member),
      compareDigests: (membersEqual, digests, member, proven) => {
        const prove = proven ? undefined : () => this.#membership.prove(member)
        this.#antiEntropy.compare(this.#membership.domain, membersEqual, member, prove)
        this.#networkState.compareDigests(digests, member, prove)
      },
      coordinate: () => this.#topology.coordinate(),
      measured: (member, rttMs, coordinate) => this.#topology.observe(member.name, rttMs, coordinate),
      verdictChanged: (member) => this.#verdictChanged(member),
      keysChanged: (member) => this.#keys.memberChanged(member),
      statusChanged: (member, previous) => this.#statusChanged(member, previous),
      updated: (member) => this.#tell('member-updated', member),
      forgotten: (member) => {
        this.#topology.forget(member.name)
        this.#keys.forgotten(member)
        this.#sessions.gone(member.name)
        this.#networkState.ownerForgotten(member.name)
      },
      isolationChanged: (isolated) => {
        this.#networkState.isolationChanged()
        this.#events.emit(isolated ? 'isolated' : 'reconnected')
      },
      clockJumped: () => transport.renewNonce(),
      sync: (member, onEnd) => this.#sync(member.address, ({ ok }) => onEnd(ok)),
      epochRaised: (epoch) => this.#networkState.epochRaised(epoch),
      twinFound: (record) => this.#twinFound(record),
    })
    this.#keys = new ClusterKeys(runtime, listening, this.#membership, this.#antiEntropy, this.#events)
    this.#gossip.addSource(this.#membership, { everyRound: true })
    this.#networkState = new NetworkState(runtime, options, {
      self: options.name,
      owners: new MemberOwners(this.#membership),
      announce: () => this.#gossip.announce(),
      addSource: (source) => this.#gossip.addSource(source),
      removeSource: (source) => this.#gossip.removeSource(source),
      sync: (peer, onEnd) => this.#sync(peer.address, onEnd),
      compared: (network, equal, peer, prove) => this.#antiEntropy.compare(network, equal, peer, prove),
      lacking: (network, peer) => this.#antiEntropy.lacking(network, peer),
      offer: (network) => this.#antiEntropy.offer(network),
      offering: (network) => this.#antiEntropy.offering(network),
      tell: (peer, digest) =>
        this.#gossip.sendFilled(peer.address, undefined, (writer) =>
          writeOffer(writer, { sourceId: this.#membership.self.id, digests: [digest] }),
        ),
      offered: (equal, peer, prove) => this.#antiEntropy.offered(equal, peer, prove),
      forgotten: (network) => this.#antiEntropy.forget(network),
      mayRaise: () => this.#membership.mayRaise,
      epochOpened: (epoch) => this.#membership.adoptEpoch(epoch),
      undecodable: (network, table, key, owner, cause) =>
        this.#events.warn(
          'WARN_UNDECODABLE_ENTRY',
          `Entry '${key}' of ${owner} in table '${table}' of network '${network}' cannot be decoded.`,
          cause,
        ),
      notSynced: (network) =>
        this.#events.warn(
          'WARN_NOT_SYNCED',
          `No participant of network '${network}' answered; it will sync later.`,
        ),
      checkName,
    })
    this.#inbound = new Inbound(this.#membership, this.#networkState, this.#antiEntropy, this.#sessions)
    this.#joining = new Joining(runtime, options, {
      isSelf: (address) => address === this.#membership.self.address || address === transport.address,
      sync: (address, onEnd) => this.#sync(address, onEnd),
      liveCount: () => this.#membership.members.liveCount,
      knows: (address) => this.#membership.members.live.some((member) => member.address === address),
    })
  }

  // Members

  /** This node as others see it. */
  get self(): MemberSnapshot {
    return this.#snapshot(this.#membership.self)
  }

  /** All members that are remembered, this node included, failed and left ones too. */
  members(): readonly MemberSnapshot[] {
    return Object.freeze([...this.#membership.members.all()].map((member) => this.#snapshot(member)))
  }

  member(name: string): MemberSnapshot | undefined {
    const member = this.#membership.members.get(name)
    return member && this.#snapshot(member)
  }

  /** Whether nobody answers this node, so that it takes itself for cut off. */
  get isolated(): boolean {
    return this.#membership.isolated
  }

  /**
   * Tells all members this node's metadata, at most 512 bytes. Throws `ERR_METADATA_TOO_LARGE`, `ERR_NAME_CONFLICT` or
   * `ERR_CLOSED`.
   */
  setMetadata(metadata: Uint8Array): void {
    this.#checkOpen()
    this.#checkTwin()
    checkMetadata(metadata)
    this.#membership.setMetadata(new Uint8Array(metadata))
  }

  /**
   * Changes the key that the whole cluster seals with, without an outage. Resolves once the older keys are retired as far as this node
   * knows. Rejects with `ERR_KEY_INVALID`, `ERR_INSECURE`, `ERR_NAME_CONFLICT`, `ERR_CLOSED`, the signal's reason, or after `timeoutMs` (60 s) with
   * `ERR_ROTATION_BLOCKED`, which names the members that hold it up; the rotation then goes on.
   */
  async rotateKey(key: Uint8Array | string, options?: RotateOptions): Promise<void> {
    this.#checkOpen()
    this.#checkTwin()
    return this.#keys.rotate(key, options)
  }

  /** Estimated round trip to a member in ms; undefined while nothing is known. */
  distanceTo(name: string): number | undefined {
    return this.#topology.distanceTo(name)
  }

  /**
   * Contacts members at addresses, and through them all others. Resolves with how many answered; rejects with `ERR_JOIN_FAILED` if
   * none did within `joinTimeoutMs`, with `ERR_ADDRESS_INVALID`, `ERR_NAME_CONFLICT`, `ERR_CLOSED`, or the signal's reason.
   */
  async join(seeds: readonly string[], options: { signal?: AbortSignal } = {}): Promise<number> {
    this.#checkOpen()
    for (const seed of seeds) parseAddress(seed)
    const answered = await this.#joining.join(seeds, options.signal)
    // Whom this node has met may have brought word of another one of its name.
    await new Promise<void>((resolve) => this.#membership.whenNameSettled(resolve))
    this.#checkOpen()
    this.#checkTwin()
    if (answered > 0) return answered
    throw new HearsayError(
      'ERR_JOIN_FAILED',
      `None of ${seeds.length} seeds answered (${seeds.join(', ')}); check addresses, keys, label and firewall.`,
    )
  }

  // Networks

  /**
   * Takes part in a network; asked again, the same one. Resolves once its state has been taken over, or after `syncTimeoutMs` with
   * `synced: false`. Rejects with `ERR_NAME_INVALID`, `ERR_NAME_CONFLICT`, `ERR_CLOSED` or the signal's reason.
   */
  async joinNetwork(name: string, options: { signal?: AbortSignal } = {}): Promise<Network> {
    this.#checkOpen()
    checkName('network name', name)
    return this.#networkState.joinNetwork(name, options.signal)
  }

  /** A network that was joined. Throws `ERR_NETWORK_NOT_JOINED` or `ERR_CLOSED`. */
  network(name: string): Network {
    this.#checkOpen()
    return this.#networkState.network(name)
  }

  // Events and figures

  /** Listeners are told after the step in which something happened, in order; they may call anything. */
  on<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): this {
    this.#events.on(event, listener)
    return this
  }

  once<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): this {
    this.#events.once(event, listener)
    return this
  }

  off<E extends keyof ClusterEvents>(event: E, listener: Listener<E>): this {
    this.#events.off(event, listener)
    return this
  }

  /** Counters and gauges of this node; `docs/metrics.md` says what each counts. */
  metrics(): Metrics {
    return collectMetrics({
      transport: this.#transport,
      gossip: this.#gossip,
      antiEntropy: this.#antiEntropy,
      membership: this.#membership,
      networkState: this.#networkState,
      keys: this.#keys,
      malformed: this.#inbound.malformed,
      now: this.#runtime.now(),
    })
  }

  // The end

  /** Tells all members that this node goes, then closes; bounded by `leaveTimeoutMs`. Idempotent. */
  leave(): Promise<void> {
    if (this.#state === 'closed') return this.#closing ?? Promise.resolve()
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Ends at once, which others take for a crash. Resolves when no handle is left. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(signal: AbortSignal | undefined): Promise<void> {
    const { seeds } = this.#options
    const answered = await this.#joining.joinSeeds(seeds, signal)
    signal?.throwIfAborted()
    this.#checkTwin()
    this.#membership.announce()
    this.#networkState.open(this.#membership.self.record.epoch)
    this.#membership.start()
    this.#antiEntropy.start()
    this.#joining.start(seeds)
    this.#keys.start()
    this.#state = 'running'
    if (answered !== 0) return
    const message = noSeedAnswered(this.#transport.counts)
    // Not before the caller of `start` could listen.
    this.#runtime.setTimer(0, () => this.#events.warn('WARN_NO_SEED_ANSWERED', message))
  }

  async #leave(): Promise<void> {
    this.#state = 'leaving'
    this.#membership.leave()
    const giveUpAt = this.#runtime.now() + this.#options.leaveTimeoutMs
    while (this.#gossip.busy && this.#runtime.now() < giveUpAt) {
      await new Promise<void>((resolve) => this.#runtime.setTimer(LEAVE_POLL_MS, resolve))
    }
    await this.close()
  }

  async #close(): Promise<void> {
    this.#state = 'closed'
    this.#inbound.close()
    this.#joining.stop()
    this.#antiEntropy.stop()
    this.#gossip.stop()
    this.#membership.stop()
    this.#networkState.close()
    const kept = this.#keys.stop()
    this.#runtime.close()
    await Promise.all([kept, this.#transport.close()])
    this.#settleClosed()
  }

  #checkOpen(): void {
    if (this.#state === 'running' || this.#state === 'starting') return
    throw new HearsayError('ERR_CLOSED', 'This node has left or was closed; start a new one.')
  }

  // Inner workings

  #handlers(): SecureTransportHandlers {
    const drops = new DropWarnings(this.#runtime, this.#events, this.#membership.members)
    return {
      onPacket: (body, from, session) => this.#inbound.onPacket(body, from, session),
      onStream: (stream) => this.#inbound.onStream(stream),
      onFault: (cause) => this.#onFault(cause),
      onDrop: (cause, from) => drops.note(cause, from),
    }
  }

  #onFault(cause: unknown): void {
    this.#failClosed(
      new HearsayError('ERR_RUNTIME', 'The port of this node has failed; start it anew.', { cause }),
    )
    void this.close()
  }

  #verdictChanged(member: Member): void {
    this.#networkState.ownerChanged(member.name)
    this.#keys.memberChanged(member)
    if (!member.live) this.#sessions.gone(member.name)
    if (member.verdict === 'failed') this.#joining.lost()
  }

  #statusChanged(member: Member, previous: Verdict | undefined): void {
    const status = this.#membership.verdicts.statusOf(member)
    // Nobody was told that it was there.
    if (previous === undefined && status !== 'alive') return
    this.#tell(EVENT_OF[status], member)
  }

  #tell(event: (typeof EVENT_OF)[Verdict] | 'member-updated', member: Member): void {
    if (this.#events.listened(event)) this.#events.emit(event, this.#snapshot(member))
  }

  #snapshot(member: Member): MemberSnapshot {
    return snapshot(member, this.#membership.verdicts.statusOf(member))
  }

  #twinFound(record: MemberRecord): void {
    this.#twin = record
    const conflict = nameConflict(record)
    if (this.#state === 'starting') {
      this.#joining.abort(conflict)
      return
    }
    this.#networkState.nameLost(conflict)
    this.#events.warn('WARN_NAME_CONFLICT', conflict.message)
  }

  #checkTwin(): void {
    if (this.#twin !== undefined) throw nameConflict(this.#twin)
  }

  #sync(address: string, onEnd: (outcome: SyncOutcome) => void): SyncHandle {
    return this.#antiEntropy.sync(address, (outcome) => {
      if (outcome.ok && this.#state !== 'closed') this.#membership.heardByStream()
      onEnd(outcome)
    })
  }

  #domains(): SyncDomain[] {
    return [...this.#keys.domains, this.#membership.domain, ...this.#networkState.domains()]
  }
}
