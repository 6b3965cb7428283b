import { BroadcastQueue } from '../dissemination/broadcast-queue.ts'
import type { NewsSource } from '../dissemination/gossip.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { SyncDomain } from '../dissemination/sync-session.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sameBytes } from '../wire/bytes.ts'
import type { EpochId } from '../wire/epoch.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Ack, IndirectPing, Nack, Ping, ProbeDigest } from '../wire/messages.ts'
import { Dialogue } from './dialogue.ts'
import { FailureDetector } from './failure-detector.ts'
import { Healing } from './healing.ts'
import { Identity } from './identity.ts'
import { JudgingTimers } from './judging-timers.ts'
import { LocalHealth } from './local-health.ts'
import { type Member, mergeRecords } from './member.ts'
import { MemberExchange, type MemberExchangeHost } from './member-exchange.ts'
import { MAX_MEMBERS, MemberList } from './member-list.ts'
import type { MembershipHost, MembershipOptions } from './membership-host.ts'
import { OwnCondition } from './own-condition.ts'
import { type OpenPing, Pings } from './pings.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import { Proofs } from './proofs.ts'
import { RecentLosses } from './recent-losses.ts'
import { Relay } from './relay.ts'
import { Verdicts } from './verdicts.ts'
import { verifiersOf } from './verification.ts'

const MEMBERS_DOMAIN = '\u0000members'
const MISMATCH_INTERVAL_MS = 1_000

const QUEUE_CAPACITY = 16_384
/**
 * With so many news waiting, times the members that each has to reach, a new member is passed on in one round only, and so are the keys that
 * a member holds: where all join at once, or change their keys, the last rounds would bring next to nothing that is new, and a delta sync
 * brings it for less. Fewer news than that are no backlog.
 */
const BACKLOG_WORK = 6_400
const LEAST_BACKLOG = 16
const BACKLOG_TRANSMISSIONS = 3

/**
 * Who is in the cluster. Records merge as a lattice (`member.ts`); verdicts are this node's own, reached by quorum of
 * accusers or by time-out; news of both go to the broadcast queue.
 */
export class Membership implements NewsSource {
  readonly members: MemberList
  readonly queue: BroadcastQueue = new BroadcastQueue(QUEUE_CAPACITY)
  readonly domain: SyncDomain
  readonly detector: FailureDetector
  readonly verdicts: Verdicts
  readonly health: LocalHealth = new LocalHealth()
  readonly #runtime: Runtime
  readonly #options: MembershipOptions
  readonly #host: MembershipHost
  readonly #pings: Pings
  readonly #schedule: ProbeSchedule
  readonly #own: OwnCondition
  readonly #dialogue: Dialogue
  readonly #identity: Identity
  readonly #relay: Relay
  readonly #proofs: Proofs
  readonly #healing: Healing
  #stopped = false
  readonly #counts = { misdirected: 0 }

  constructor(runtime: Runtime, options: MembershipOptions, self: MemberRecord, host: MembershipHost) {
    this.#runtime = runtime
    this.#options = options
    this.#host = host
    this.members = new MemberList(self)
    this.#pings = new Pings(runtime)
    this.#schedule = new ProbeSchedule(this.members)
    const dialogue = new Dialogue(this.members, this.#schedule, host)
    this.#dialogue = dialogue
    const losses = new RecentLosses()
    this.#relay = new Relay(runtime, this.members, this.#pings, dialogue, losses)
    this.#proofs = new Proofs(runtime, options, this.#pings, dialogue)
    this.#identity = new Identity(runtime, options, this.members, this.#pings, dialogue, {
      publish: () => this.#spread(this.self),
      epochRaised: (epoch) => host.epochRaised(epoch),
      twinFound: (record) => this.#twinFound(record),
    })
    this.#healing = new Healing(
      runtime,
      options,
      this.members,
      this.#pings,
      dialogue,
      (member) => this.#forget(member),
      (member) => host.sync(member, () => {}),
    )
    const timers = new JudgingTimers(runtime, this.health)
    const probing = {
      ping: (member: Member, ping: OpenPing) => dialogue.ping(member, ping),
      witness: (member: Member, timeoutMs: number, onResult: (reached: boolean) => void) =>
        host.witness(member.address, timeoutMs, onResult),
      accuse: (member: Member, hard: boolean) => this.#accuse(member, hard),
    }
    this.detector = new FailureDetector(
      runtime,
      options,
      this.members,
      this.#schedule,
      this.#pings,
      this.health,
      timers,
      losses,
      {
        ...probing,
        askHelper: (helper, target, ping, budgetMs) => dialogue.askHelper(helper, target, ping, budgetMs),
        streamPing: (member, timeoutMs, onAck) =>
          host.streamPing(member.address, member.id, member.record.epoch.nonce, timeoutMs, onAck),
        answered: (member, rttMs, coordinate) => {
          member.rttMs = rttMs
          host.measured(member, rttMs, coordinate)
        },
        ticked: () => this.#ticked(),
      },
    )
    this.verdicts = new Verdicts(runtime, options, this.members, this.#pings, this.health, timers, {
      ...probing,
      isolated: () => this.#own.checkIsolation(),
      believesAlone: (member) => this.#own.view.believesAlone(member),
      tell: (member) => dialogue.tell(member, member),
      verdictChanged: (member, previous) => host.verdictChanged(member, previous),
      statusChanged: (member, previous) => host.statusChanged(member, previous),
    })
    this.#own = new OwnCondition(runtime, options, this.members, this.#pings, this.health, {
      ping: probing.ping,
      accuse: (member) => {
        this.#accuse(member, false)
        // It may have been accused before, when others could still have joined in.
        this.verdicts.settle(member, member.record)
      },
      sync: (member, onEnd) => host.sync(member, onEnd),
      spread: (member) => this.#spread(member),
      holdBack: (member) => this.queue.remove(member.name),
      isolationChanged: (isolated) => host.isolationChanged(isolated),
      clockJumped: () => host.clockJumped(),
    })
    this.domain = {
      name: MEMBERS_DOMAIN,
      mismatchIntervalMs: MISMATCH_INTERVAL_MS,
      digest: () => this.members.digest(),
      open: (role, wake, peer) => new MemberExchange(role, this.#exchangeHost, wake, peer),
    }
  }

  get self(): Member {
    return this.members.self
  }

  get isolated(): boolean {
    return this.#own.isolated
  }

  get counts(): Readonly<Record<string, number>> {
    return {
      ...this.#counts,
      ...this.verdicts.counts,
      ...this.#healing.counts,
      ...this.#own.counts,
      refutations: this.#identity.refutations,
    }
  }

  start(): void {
    this.detector.start()
  }

  stop(): void {
    this.#stopped = true
    this.detector.stop()
    this.verdicts.stop()
    this.#healing.stop()
    this.#own.view.stop()
    this.#identity.stop()
  }

  /** Makes this node known. Idempotent. */
  announce(): void {
    this.#identity.announce()
  }

  /** Whether another live process has this node's name by better right. */
  get yielded(): boolean {
    return this.#identity.yielded
  }

  /** Whether logs of this node may outbid what others remember of them. */
  get mayRaise(): boolean {
    return this.#identity.mayRaise
  }

  /** Calls back once it is clear whether a twin lives, perhaps at once. */
  whenNameSettled(then: () => void): void {
    this.#identity.whenSettled(then)
  }

  /** The log of the built-in network had to open a higher epoch: the member's is the same. */
  adoptEpoch(epoch: EpochId): void {
    this.#identity.adoptEpoch(epoch)
  }

  setMetadata(metadata: Uint8Array): void {
    this.#identity.setMetadata(metadata)
    this.#host.updated(this.self)
  }

  /** Tells everyone which keys this node holds, the one that it seals with first. */
  setKeys(keys: readonly number[]): void {
    this.#identity.setKeys(keys)
  }

  /** Tells everyone that this node goes. */
  leave(): void {
    this.#identity.leave()
  }

  // NewsSource: every live member may hear of every member.

  readonly offering: boolean = false

  audience(): number {
    return this.members.live.length
  }

  transmitLimit(): number {
    const { liveCount } = this.members
    const limit = this.#options.retransmitMultiplier * Math.ceil(Math.log10(liveCount + 1))
    return Math.floor(limit * this.verdicts.recentFailures.boost(liveCount, this.#runtime.now()))
  }

  pick(count: number, preferred: readonly Peer[]): Peer[] {
    this.#own.look()
    if (preferred.length >= count) return preferred.slice(0, count)
    const others = sample(
      this.members.live,
      count - preferred.length,
      this.#random,
      (m) => !preferred.includes(m),
    )
    const { recentFailures } = this.verdicts
    const gone = recentFailures.draw(this.members.live.length, this.#random, this.#runtime.now())
    if (gone !== undefined && others.length > 0) others[0] = gone
    return [...preferred, ...others]
  }

  mayHear(): boolean {
    this.#own.look()
    return true
  }

  randomPeer(): Member | undefined {
    return sample(this.members.live, 1, this.#random, (member) => member.verdict === 'alive')[0]
  }

  // Messages

  /** `proven` says that the ping is no old one played again: only then it counts what it says of its sender's state. */
  onPing(ping: Ping, from: string, proven = true): void {
    if (!this.isTarget(ping.targetId, ping.targetNonce)) {
      this.#counts.misdirected++
      return
    }
    this.#schedule.hear(ping.round)
    const source = this.#heard(ping.sourceId)
    this.#dialogue.ack(ping, from, source?.isAt(from) ? source : undefined)
    if (source?.live) this.#compare(ping.members, ping.digests, source, proven)
  }

  /** Tells which member has answered, if it was a question of this node's. */
  onAck(ack: Ack, from: string): Member | undefined {
    if (!this.#pings.acked(ack, from)) return undefined
    this.verdicts.examiner.sighted()
    const source = this.#heard(ack.sourceId)
    if (source?.isAt(from) === false) source.answersFrom = from
    if (source?.live) this.#compare(ack.members, ack.digests, source, true)
    return source
  }

  onIndirectPing(request: IndirectPing, from: string): void {
    const source = this.#heard(request.sourceId)
    const target = this.members.byId(request.targetId)
    // Whoever asks about a member that failed is told what is known, besides.
    if (source?.live && target?.verdict === 'failed' && target.record.epoch.nonce === request.targetNonce) {
      if (this.#own.view.mayTell(target)) this.#dialogue.tell(source, target)
    }
    this.#relay.onRequest(request, from, source?.isAt(from) === true)
  }

  onNack(nack: Nack): void {
    if (this.#pings.nacked(nack.token)) this.#heard(nack.sourceId)
  }

  /** Asks a member for a proof that it lives and has sent what came in its name; `onProof` comes at most once. */
  prove(member: Member, onProof?: () => void): void {
    this.#proofs.ask(member, onProof)
  }

  isTarget(id: number, nonce: number): boolean {
    return id === this.self.id && (nonce === 0 || nonce === this.self.record.epoch.nonce)
  }

  /** Another member was heard by other means than a probe. */
  heardByStream(): void {
    this.#own.heard()
  }

  /** Whether so much is being passed on that differences are better settled by syncs. */
  get backlogged(): boolean {
    return this.queue.size >= Math.max(LEAST_BACKLOG, BACKLOG_WORK / this.members.liveCount)
  }

  /** Merges a record that came by gossip, in a packet from that address if it is known; what is new is passed on. */
  learn(record: MemberRecord, from = ''): void {
    this.#own.look()
    // What is said of this node itself is heard from anybody, so that it can be refuted.
    const own = record.name === this.self.name
    const { failedVoices } = this.verdicts
    const known = this.members.get(record.name)
    const before = known?.record
    const credible = own ? record : failedVoices.credible(record, from, this.#runtime.now())
    const member = this.#take(credible, known)
    if (member !== undefined) this.#spread(member, this.backlogged && isRoutine(member.record, before))
  }

  /** Merges a record; tells which member's record has changed by it, this node's own apart. */
  #take(
    record: MemberRecord,
    member: Member | undefined = this.members.get(record.name),
  ): Member | undefined {
    if (record.name === this.self.name) {
      this.#identity.hear(record)
      return undefined
    }
    if (member === undefined) return this.#admit(record)
    this.#own.view.confirm(member)
    return member.record !== record && this.#merge(member, record) ? member : undefined
  }

  // Inner workings

  readonly #random = (): number => this.#runtime.randomUint32()

  get #exchangeHost(): MemberExchangeHost {
    const { begun } = this.#own.view
    return {
      members: this.members,
      mayName: (member) => member !== this.self || this.#identity.telling,
      mayTell: (member) => this.#own.view.mayTell(member),
      // What a sync brought is old news: whoever lacks it as well has the same digest to see it by.
      learn: (record) => void this.#take(record),
      hearNews: (record) => this.learn(record),
      heardAll: (knows) => this.#own.view.compared(knows, begun),
      claimName: (tell) => this.#identity.claimName((own) => tell(own ? this.self : undefined)),
    }
  }

  #admit(record: MemberRecord): Member | undefined {
    if (this.members.size >= MAX_MEMBERS) return undefined
    const now = this.#runtime.now()
    const member = this.members.add(record, record.left ? 'left' : 'alive', now)
    this.verdicts.admitted(member)
    this.#host.keysChanged(member)
    // A new peer may be the first to hear what has waited.
    if (this.queue.size > 0) this.#host.announce()
    return member
  }

  #merge(member: Member, record: MemberRecord): boolean {
    const merged = mergeRecords(member.record, record)
    if (merged === member.record) return false
    const before = member.record
    const updated = before.address !== merged.address || !sameBytes(before.metadata, merged.metadata)
    this.verdicts.settle(member, merged)
    if (updated && member.live) this.#host.updated(member)
    if (before.keys !== merged.keys) this.#host.keysChanged(member)
    return true
  }

  #accuse(member: Member, hard: boolean): void {
    // Whoever is not known yet, or has yielded its name, is no witness to others.
    if (!this.#identity.telling || !this.verdicts.accuse(member, hard)) return
    this.#spread(member)
    if (member.verdict !== 'suspect' || !this.#own.view.mayTell(member)) return
    // Those who are to verify hear of it at once; their pings tell the suspect, who may refute.
    for (const verifier of verifiersOf(member, this.members)) {
      if (verifier !== this.self) this.#dialogue.tell(verifier, member)
    }
  }

  /** Queues a member's record as news. Whoever is still joining learns, and has no news to tell. */
  #spread(member: Member, oneRound = false): void {
    if (!this.#identity.telling || !this.#own.view.mayTell(member)) return
    this.queue.put(member.name, this.#dialogue.encode(member), oneRound ? BACKLOG_TRANSMISSIONS : undefined)
    this.#host.announce()
  }

  #forget(member: Member): void {
    this.#own.view.forget(member)
    this.verdicts.forget(member)
    this.members.remove(member)
    this.queue.remove(member.name)
    this.#host.forgotten(member)
  }

  #heard(sourceId: number): Member | undefined {
    const member = this.members.byId(sourceId)
    if (member === undefined || member === this.self) return undefined
    this.#own.heard(member)
    return member
  }

  /** Whoever has yielded its name is no member any more: it listens, and syncs now and then. */
  #twinFound(record: MemberRecord): void {
    if (this.yielded) {
      this.detector.stop()
      this.verdicts.verification.stop()
      this.queue.clear()
    }
    this.#host.twinFound(record)
  }

  #compare(members: number, digests: readonly ProbeDigest[], source: Member, proven: boolean): void {
    this.#host.compareDigests(members === this.members.summaryFor(source), digests, source, proven)
  }

  #ticked(): void {
    this.#runtime.afterPendingIo(() => {
      if (this.#stopped) return
      this.#own.tick()
      this.#healing.tick()
      this.verdicts.tick()
    })
  }
}

/** Whether a record says merely that its member has joined, or that it holds other keys than before. */
function isRoutine(record: MemberRecord, before: MemberRecord | undefined): boolean {
  if (record.left || isAccused(record)) return false
  if (record.incarnation === 0) return true
  return before !== undefined && !isAccused(before) && before.keys.join() !== record.keys.join()
}

function isAccused({ hard, soft }: MemberRecord): boolean {
  return hard.length + soft.length > 0
}
