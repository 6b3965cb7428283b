import { BroadcastQueue } from '../dissemination/broadcast-queue.ts'
import type { NewsSource } from '../dissemination/gossip.ts'
import { type Peer, sample } from '../dissemination/peer.ts'
import type { Digest, SyncDomain } from '../dissemination/sync-session.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { sameBytes, Writer } from '../wire/bytes.ts'
import { compareEpochs, type EpochId } from '../wire/epoch.ts'
import { type MemberRecord, writeMemberRecord } from '../wire/member-record.ts'
import {
  type Ack,
  beginMessage,
  endMessage,
  type IndirectPing,
  MESSAGE,
  type Nack,
  type Ping,
  type ProbeDigest,
  type Token,
  writeAck,
  writeIndirectPing,
  writeNack,
  writePing,
} from '../wire/messages.ts'
import { FailureDetector, type FailureDetectorOptions, NACK_AT } from './failure-detector.ts'
import { Isolation } from './isolation.ts'
import { LocalHealth } from './local-health.ts'
import { type Member, memberId, mergeRecords, type Verdict, withAccusation } from './member.ts'
import { MemberExchange } from './member-exchange.ts'
import { MemberList } from './member-list.ts'
import { type OpenPing, Pings } from './pings.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import type { SuspicionOptions } from './suspicion-rules.ts'
import { Suspicions } from './suspicions.ts'
import { Verification, type VerificationOptions, verifiersOf } from './verification.ts'

export interface MembershipOptions extends FailureDetectorOptions, SuspicionOptions, VerificationOptions {
  /** λ: news are sent λ·⌈log10(n+1)⌉ times. */
  readonly retransmitMultiplier: number
  /** Silence of all others after which this node takes itself for isolated. */
  readonly isolationTimeoutMs: number
  /** How often one of the failed members is contacted again. */
  readonly healIntervalMs: number
  /** How long failed and left members are remembered. */
  readonly forgetAfterMs: number
}

/** What membership asks of the node that it serves. */
export interface MembershipHost {
  /** Sends a packet that begins with what `write` writes, filled up with news for the peer. */
  send(to: string, peer: Peer | undefined, write: (writer: Writer) => void): void
  /** There are news in the queue, or new peers to hear old ones. */
  announce(): void
  witness(to: string, timeoutMs: number, onResult: (reached: boolean) => void): void
  /** Asks over a stream; calls back at most once, only if the target answers in time. */
  streamPing(to: string, targetId: number, targetNonce: number, timeoutMs: number, onAck: () => void): void
  /** Digests of networks that this node and a member share. */
  digestsFor(member: Member): readonly ProbeDigest[]
  compareDigests(membersEqual: boolean, digests: readonly ProbeDigest[], member: Member): void
  coordinate(): Uint8Array
  /** A member answered a direct ping. */
  measured(member: Member, rttMs: number, coordinate: Uint8Array): void
  verdictChanged(member: Member, previous: Verdict | undefined): void
  /** Metadata or address of a member changed, its verdict did not. */
  updated(member: Member): void
  /** A member that was gone for long is no longer remembered. */
  forgotten(member: Member): void
  isolationChanged(isolated: boolean): void
  /** This node's epoch was raised above one that others remember. */
  epochRaised(epoch: EpochId): void
  /** Another live process uses this node's name. */
  twinFound(record: MemberRecord): void
}

export const MEMBERS_DOMAIN = '\u0000members'

const QUEUE_CAPACITY = 16_384
/** Members beyond this are not learnt: a bound on what peers can make this node hold. */
const MAX_MEMBERS = 65_536
const MAX_RELAYED_PINGS = 1_024
const NAME_CHECK_TRIES = 3

/**
 * Who is in the cluster. Records merge as a lattice (`member.ts`); verdicts are this node's own, reached by quorum of
 * accusers or by time-out; news of both go to the broadcast queue.
 */
export class Membership implements NewsSource {
  readonly members: MemberList
  readonly queue: BroadcastQueue = new BroadcastQueue(QUEUE_CAPACITY)
  readonly domain: SyncDomain
  readonly detector: FailureDetector
  readonly verification: Verification
  readonly health: LocalHealth = new LocalHealth()
  readonly #runtime: Runtime
  readonly #options: MembershipOptions
  readonly #host: MembershipHost
  readonly #pings: Pings
  readonly #schedule: ProbeSchedule
  readonly #suspicions: Suspicions
  readonly #isolation: Isolation
  readonly #encoder = new Writer()
  /** While false, this node's own record is kept back: its name is not yet known to be free. */
  #announced = false
  /** The record of another life under this node's name, heard before the own one was announced. */
  #formerSelf: MemberRecord | undefined
  #checkingTwin = false
  #relayed = 0
  #healTimer: Timer | undefined
  #stopped = false
  readonly counts = {
    refutations: 0,
    misdirected: 0,
    certificates: 0,
    timeouts: 0,
    forgotten: 0,
    healPings: 0,
  }

  constructor(runtime: Runtime, options: MembershipOptions, self: MemberRecord, host: MembershipHost) {
    this.#runtime = runtime
    this.#options = options
    this.#host = host
    this.members = new MemberList(self)
    this.#pings = new Pings(runtime)
    this.#schedule = new ProbeSchedule(this.members)
    this.#isolation = new Isolation(options.isolationTimeoutMs, runtime.now(), (isolated) =>
      host.isolationChanged(isolated),
    )
    const probing = {
      ping: (member: Member, ping: OpenPing) => this.#ping(member, ping),
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
      {
        ...probing,
        askHelper: (helper, target, ping, budgetMs) => this.#askHelper(helper, target, ping, budgetMs),
        streamPing: (member, timeoutMs, onAck) =>
          host.streamPing(member.address, member.id, member.record.epoch.nonce, timeoutMs, onAck),
        answered: (member, rttMs, coordinate) => {
          member.rttMs = rttMs
          host.measured(member, rttMs, coordinate)
        },
        ticked: () => this.#ticked(),
      },
    )
    this.verification = new Verification(runtime, options, this.members, this.#pings, this.health, probing)
    this.#suspicions = new Suspicions(runtime, options, this.members, this.#pings, this.health, {
      ping: probing.ping,
      expired: (member) => this.#expired(member),
    })
    this.domain = {
      name: MEMBERS_DOMAIN,
      digest: () => this.members.digest(),
      open: (role, wake) => new MemberExchange(role, this.#exchangeHost, wake),
    }
  }

  get self(): Member {
    return this.members.self
  }

  get isolated(): boolean {
    return this.#isolation.isolated
  }

  digest(): Digest {
    return this.members.digest()
  }

  start(): void {
    this.detector.start()
    this.#armHeal()
  }

  stop(): void {
    this.#stopped = true
    this.detector.stop()
    this.verification.stop()
    this.#suspicions.stop()
    this.#healTimer?.cancel()
  }

  /** Makes this node known, with an epoch above every earlier life of its name. Idempotent. */
  announce(): void {
    if (this.#announced) return
    this.#announced = true
    if (
      this.#formerSelf !== undefined &&
      compareEpochs(this.#formerSelf.epoch, this.self.record.epoch) >= 0
    ) {
      this.#raiseEpoch(this.#formerSelf.epoch)
    }
    this.#publishSelf()
  }

  /** The log of the built-in network had to open a higher epoch: the member's is the same. */
  adoptEpoch(epoch: EpochId): void {
    const { record } = this.self
    if (compareEpochs(epoch, record.epoch) <= 0) return
    this.#changeSelf({ ...record, epoch, incarnation: 0, hard: [], soft: [] })
  }

  setMetadata(metadata: Uint8Array): void {
    const { record } = this.self
    this.#changeSelf({ ...record, metadata, incarnation: record.incarnation + 1, hard: [], soft: [] })
    this.#host.updated(this.self)
  }

  /** Tells everyone that this node goes. */
  leave(): void {
    this.members.update(this.self, { ...this.self.record, left: true }, 'left', this.#runtime.now())
    this.#publishSelf()
  }

  // NewsSource: every live member may hear of every member.

  transmitLimit(): number {
    return this.#options.retransmitMultiplier * Math.ceil(Math.log10(this.members.liveCount + 1))
  }

  pick(count: number, preferred: readonly Peer[]): Peer[] {
    if (preferred.length >= count) return preferred.slice(0, count)
    const others = sample(
      this.members.live,
      count - preferred.length,
      this.#random,
      (m) => !preferred.includes(m),
    )
    return [...preferred, ...others]
  }

  mayHear(): boolean {
    return true
  }

  randomPeer(): Member | undefined {
    return sample(this.members.live, 1, this.#random, (member) => member.verdict === 'alive')[0]
  }

  // Messages

  onPing(ping: Ping, from: string): void {
    if (!this.isTarget(ping.targetId, ping.targetNonce)) {
      this.counts.misdirected++
      return
    }
    this.#schedule.hear(ping.round)
    const source = this.#heard(ping.sourceId)
    this.#host.send(from, source, (writer) => {
      writeAck(writer, {
        token: ping.token,
        sourceId: this.self.id,
        members: this.members.digest().low,
        digests: source === undefined ? [] : this.#host.digestsFor(source),
        coordinate: this.#host.coordinate(),
      })
      this.#writeDoubts(writer, source)
    })
    if (source?.live) this.#compare(ping.members, ping.digests, source)
  }

  onAck(ack: Ack, from: string): void {
    if (!this.#pings.acked(ack, from)) return
    const source = this.#heard(ack.sourceId)
    if (source === undefined) return
    if (source.live) this.#compare(ack.members, ack.digests, source)
  }

  onIndirectPing(request: IndirectPing, from: string): void {
    this.#heard(request.sourceId)
    if (this.#relayed >= MAX_RELAYED_PINGS) return
    this.#relayed++
    const answer = (write: (writer: Writer) => void): void => this.#host.send(from, undefined, write)
    const { token } = request
    const ping = this.#pings.open({
      onAck: () => {
        if (!finish()) return
        answer((writer) =>
          writeAck(writer, {
            token,
            sourceId: this.self.id,
            members: this.members.digest().low,
            digests: [],
            coordinate: new Uint8Array(0),
          }),
        )
      },
    })
    const nack = this.#runtime.setTimer(request.budgetMs * NACK_AT, () => {
      this.#runtime.afterPendingIo(() => {
        if (finish()) answer((writer) => writeNack(writer, { token, sourceId: this.self.id }))
      })
    })
    let finished = false
    const finish = (): boolean => {
      if (finished || this.#stopped) return false
      finished = true
      this.#relayed--
      ping.close()
      nack.cancel()
      return true
    }
    const target = this.members.byId(request.targetId)
    this.#sendPing(request.address, target, request.targetId, request.targetNonce, ping.token)
  }

  onNack(nack: Nack): void {
    if (this.#pings.nacked(nack.token)) this.#heard(nack.sourceId)
  }

  isTarget(id: number, nonce: number): boolean {
    return id === this.self.id && (nonce === 0 || nonce === this.self.record.epoch.nonce)
  }

  /** Another member was heard by other means than a probe. */
  heardByStream(): void {
    this.#isolation.heard(this.#runtime.now())
  }

  /** Merges a record that came by gossip or by sync; what is new is gossiped on. */
  learn(record: MemberRecord): void {
    if (record.name === this.self.name) {
      this.#hearOfSelf(record)
      return
    }
    const member = this.members.get(record.name)
    if (member === undefined) this.#admit(record)
    else if (member.record !== record) this.#merge(member, record)
  }

  // Inner workings

  readonly #random = (): number => this.#runtime.randomUint32()

  get #exchangeHost(): ConstructorParameters<typeof MemberExchange>[1] {
    return {
      known: () => (this.#announced ? this.members.all() : this.members.others()),
      byId: (id) => this.members.byId(id),
      learn: (record) => this.learn(record),
      heardAll: (tell) => this.#claimName(() => tell(this.self)),
    }
  }

  #admit(record: MemberRecord): void {
    if (this.members.size >= MAX_MEMBERS) return
    const now = this.#runtime.now()
    const member = this.members.add(record, record.left ? 'left' : 'alive', now)
    this.#spread(member)
    if (!record.left) this.#host.verdictChanged(member, undefined)
    this.#settle(member, record)
  }

  #merge(member: Member, record: MemberRecord): void {
    const merged = mergeRecords(member.record, record)
    if (merged === member.record) return
    const before = member.record
    const updated = before.address !== merged.address || !sameBytes(before.metadata, merged.metadata)
    this.#settle(member, merged)
    this.#spread(member)
    if (updated && member.live) this.#host.updated(member)
  }

  /** Stores a member's record and draws the verdict that follows from it. */
  #settle(member: Member, record: MemberRecord): void {
    const previous = member.verdict
    const sameLife =
      compareEpochs(record.epoch, member.record.epoch) === 0 &&
      record.incarnation === member.record.incarnation
    const verdict = this.#judge(member, record, sameLife)
    if (!sameLife || verdict !== 'suspect') {
      this.#suspicions.end(member)
      this.verification.cancel(member)
    }
    this.members.update(member, record, verdict, this.#runtime.now())
    if (verdict === 'suspect') {
      this.#suspicions.note(member)
      this.verification.consider(member)
    }
    if (verdict !== previous) this.#host.verdictChanged(member, previous)
  }

  #judge(member: Member, record: MemberRecord, sameLife: boolean): Verdict {
    if (record.left) return 'left'
    if (record.hard.length === 0 && record.soft.length === 0) return 'alive'
    if (sameLife && member.verdict === 'failed') return 'failed'
    if (!this.#suspicions.certifies(record)) return 'suspect'
    this.counts.certificates++
    return 'failed'
  }

  /** The slow path has come to its end without an answer. */
  #expired(member: Member): void {
    if (member.verdict !== 'suspect') return
    this.counts.timeouts++
    this.verification.cancel(member)
    this.members.update(member, member.record, 'failed', this.#runtime.now())
    this.#host.verdictChanged(member, 'suspect')
  }

  #accuse(member: Member, hard: boolean): void {
    const record = withAccusation(member.record, this.self.id, hard)
    if (record === member.record) return
    this.#settle(member, record)
    this.#spread(member)
    if (member.verdict !== 'suspect') return
    // Those who are to verify hear of it at once, and so does the suspect, who may refute.
    for (const verifier of verifiersOf(member, this.members)) {
      if (verifier !== this.self)
        this.#host.send(verifier.address, verifier, (writer) => this.#writeRecord(writer, member))
    }
  }

  #hearOfSelf(record: MemberRecord): void {
    const own = this.self.record
    const order = compareEpochs(record.epoch, own.epoch)
    if (!this.#announced) {
      if (
        order !== 0 &&
        (this.#formerSelf === undefined || mergeRecords(this.#formerSelf, record) !== this.#formerSelf)
      ) {
        this.#formerSelf = record
      }
      return
    }
    if (order < 0 || own.left) return
    if (order > 0) this.#meetHigherEpoch(record)
    else if (record.incarnation > own.incarnation || this.#speaksAgainst(record))
      this.#refute(record.incarnation)
  }

  #speaksAgainst(record: MemberRecord): boolean {
    if (record.incarnation !== this.self.record.incarnation) return false
    return record.left || record.hard.length > 0 || record.soft.length > 0
  }

  #refute(heard: number): void {
    this.counts.refutations++
    const { record } = this.self
    this.#changeSelf({ ...record, incarnation: Math.max(record.incarnation, heard) + 1, hard: [], soft: [] })
  }

  /** Somebody remembers a later life of this name: a ghost of our own, or a twin. */
  #meetHigherEpoch(record: MemberRecord): void {
    if (record.left || record.address === this.self.address) {
      this.#raiseEpoch(record.epoch)
      this.#publishSelf()
      return
    }
    if (this.#checkingTwin) return
    this.#checkingTwin = true
    this.#ask(record, (answered) => {
      this.#checkingTwin = false
      if (answered) {
        this.#host.twinFound(record)
      } else if (compareEpochs(record.epoch, this.self.record.epoch) > 0) {
        this.#raiseEpoch(record.epoch)
        this.#publishSelf()
      }
    })
  }

  /** Calls back once it is clear that the name is this node's own; never, if a live process holds it. */
  #claimName(onFree: () => void): void {
    const former = this.#formerSelf
    if (this.#announced || former === undefined || former.left || former.address === this.self.address) {
      this.announce()
      onFree()
      return
    }
    this.#ask(former, (answered) => {
      if (this.#stopped) return
      if (answered) {
        this.#host.twinFound(former)
      } else {
        this.announce()
        onFree()
      }
    })
  }

  /** Pings the life of a record, a few times; tells whether that very life answered. */
  #ask(record: MemberRecord, onResult: (answered: boolean) => void): void {
    let tries = 0
    let answered = false
    const ping = this.#pings.open({
      onAck: () => {
        if (answered) return
        answered = true
        ping.close()
        onResult(true)
      },
    })
    const attempt = (): void => {
      if (answered || this.#stopped) return
      if (tries++ === NAME_CHECK_TRIES) {
        ping.close()
        onResult(false)
        return
      }
      this.#sendPing(record.address, undefined, memberId(record.name), record.epoch.nonce, ping.token)
      this.#runtime.setTimer(this.#options.probeTimeoutMs, () => this.#runtime.afterPendingIo(attempt))
    }
    attempt()
  }

  #raiseEpoch(above: EpochId): void {
    const { record } = this.self
    const time = Math.max(Math.floor(this.#runtime.wallClock()), above.time + 1)
    const epoch = { time, nonce: record.epoch.nonce }
    this.members.update(
      this.self,
      { ...record, epoch, incarnation: 0, hard: [], soft: [] },
      this.self.verdict,
      this.#runtime.now(),
    )
    this.#host.epochRaised(epoch)
  }

  #changeSelf(record: MemberRecord): void {
    this.members.update(this.self, record, this.self.verdict, this.#runtime.now())
    this.#publishSelf()
  }

  #publishSelf(): void {
    this.#spread(this.self)
  }

  /** Queues a member's record as news. Whoever is still joining learns, and has no news to tell. */
  #spread(member: Member): void {
    if (!this.#announced) return
    const writer = this.#encoder.reset()
    this.#writeRecord(writer, member)
    this.queue.put(member.name, writer.copy())
    this.#host.announce()
  }

  #writeRecord(writer: Writer, member: Member): void {
    const start = beginMessage(writer, MESSAGE.member)
    writeMemberRecord(writer, member.record)
    endMessage(writer, start)
  }

  /** Whoever is doubted is told so with every packet, so that it can refute in the same round trip. */
  #writeDoubts(writer: Writer, member: Member | undefined): void {
    if (member !== undefined && member.verdict !== 'alive') this.#writeRecord(writer, member)
  }

  #ping(member: Member, ping: OpenPing): void {
    this.#sendPing(member.address, member, member.id, member.record.epoch.nonce, ping.token)
  }

  #sendPing(
    to: string,
    member: Member | undefined,
    targetId: number,
    targetNonce: number,
    token: Token,
  ): void {
    this.#host.send(to, member, (writer) => {
      writePing(writer, {
        token,
        round: this.#schedule.round,
        targetId,
        targetNonce,
        sourceId: this.self.id,
        members: this.members.digest().low,
        digests: member === undefined ? [] : this.#host.digestsFor(member),
      })
      this.#writeDoubts(writer, member)
    })
  }

  #askHelper(helper: Member, target: Member, ping: OpenPing, budgetMs: number): void {
    this.#host.send(helper.address, helper, (writer) =>
      writeIndirectPing(writer, {
        token: ping.token,
        address: target.address,
        targetId: target.id,
        targetNonce: target.record.epoch.nonce,
        sourceId: this.self.id,
        budgetMs: Math.ceil(budgetMs),
      }),
    )
  }

  #heard(sourceId: number): Member | undefined {
    const member = this.members.byId(sourceId)
    if (member === undefined || member === this.self) return undefined
    this.#isolation.heard(this.#runtime.now())
    return member
  }

  #compare(members: number, digests: readonly ProbeDigest[], source: Member): void {
    this.#host.compareDigests(members === this.members.digest().low, digests, source)
  }

  #ticked(): void {
    this.#runtime.afterPendingIo(() => {
      if (this.#stopped) return
      this.#isolation.check(this.#runtime.now(), this.#hasOthers(), this.#options.probeIntervalMs)
      for (const suspect of this.#suspicions.suspects()) this.verification.consider(suspect)
    })
  }

  #hasOthers(): boolean {
    for (const member of this.members.others()) if (member.verdict !== 'left') return true
    return false
  }

  #armHeal(): void {
    const delay = this.#options.healIntervalMs * (0.75 + (0.5 * this.#random()) / 0x1_0000_0000)
    this.#healTimer = this.#runtime.setTimer(delay, () => {
      this.#heal()
      this.#armHeal()
    })
  }

  /** Tells one failed member that it is taken for failed, and forgets those that have been gone for long. */
  #heal(): void {
    const now = this.#runtime.now()
    const failed: Member[] = []
    for (const member of this.members.others()) {
      if (member.live) continue
      if (now - member.verdictAt >= this.#options.forgetAfterMs) {
        this.members.remove(member)
        this.queue.remove(member.name)
        this.counts.forgotten++
        this.#host.forgotten(member)
      } else if (member.verdict === 'failed') {
        failed.push(member)
      }
    }
    const [member] = sample(failed, 1, this.#random)
    if (member === undefined) return
    this.counts.healPings++
    const ping = this.#pings.open({ onAck: () => ping.close() })
    this.#runtime.setTimer(this.#options.healIntervalMs, () => ping.close())
    this.#ping(member, ping)
  }
}
