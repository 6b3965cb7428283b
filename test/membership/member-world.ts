import { AntiEntropy, STREAM_SYNC } from '../../src/dissemination/anti-entropy.ts'
import { Gossip } from '../../src/dissemination/gossip.ts'
import type { SyncOutcome } from '../../src/dissemination/sync-session.ts'
import { type Member, memberId, type Verdict } from '../../src/membership/member.ts'
import { Membership } from '../../src/membership/membership.ts'
import type { MembershipOptions } from '../../src/membership/membership-host.ts'
import { answerByStream, pingByStream, STREAM_PING } from '../../src/membership/stream-ping.ts'
import type { ScopedRuntime } from '../../src/runtime/scoped-runtime.ts'
import type { FrameHandlers, FrameStream } from '../../src/security/frames.ts'
import { Reader } from '../../src/wire/bytes.ts'
import { type EpochId, epochTime } from '../../src/wire/epoch.ts'
import { type MemberRecord, readMemberRecord } from '../../src/wire/member-record.ts'
import {
  MESSAGE,
  readAck,
  readIndirectPing,
  readMessages,
  readNack,
  readPing,
} from '../../src/wire/messages.ts'
import { PipeEnd } from '../dissemination/frame-pipe.ts'
import { randomNumbers, TestClock } from '../dissemination/test-clock.ts'

export const OPTIONS: MembershipOptions = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectTimeoutMs: 500,
  indirectProbes: 3,
  verifyTimeoutMs: 500,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  minSuspicionMs: 0,
  retransmitMultiplier: 4,
  isolationTimeoutMs: 3_000,
  healIntervalMs: 10_000,
  forgetAfterMs: 24 * 3_600_000,
}
const GOSSIP = { gossipIntervalMs: 200, gossipFanout: 3, packetBytes: 1400 }
const SYNC = { syncIntervalMs: 30_000, syncTimeoutMs: 10_000 }

const LATENCY_MS = 1
/** After this long a stream sends again what did not get through. */
const RETRANSMISSION_MS = 200

export type Carrier = 'packet' | 'stream'

/** What has happened at a node, in order. */
export type Happening =
  | { readonly what: Verdict; readonly name: string; readonly atMs: number }
  | { readonly what: 'isolated' | 'reconnected'; readonly atMs: number }

/** Nodes that have nothing but members, in one process and in virtual time; each on a host of its own. */
export class MemberWorld {
  readonly clock: TestClock = new TestClock()
  readonly nodes: MemberNode[] = []
  readonly #random: () => number
  /** Probability that a packet is lost. */
  loss = 0
  /** Whether what one node sends reaches another, apart from `loss`. */
  reaches: (from: MemberNode, to: MemberNode, by: Carrier) => boolean = () => true
  packets = 0
  /** Sees every packet that is sent. */
  tap: (from: MemberNode, body: Uint8Array) => void = () => {}

  constructor(seed = 1) {
    this.#random = randomNumbers(seed)
  }

  /** Starts a node. Its address is a function of its name unless given. */
  boot(name: string, options: BootOptions = {}): MemberNode {
    const address = options.address ?? `10.0.${memberId(name) & 0xff}.${(memberId(name) >>> 8) & 0xff}:7946`
    const node = new MemberNode(this, name, address, this.#random(), options)
    this.nodes.push(node)
    return node
  }

  /** Starts nodes that know each other. */
  cluster(...names: string[]): MemberNode[] {
    const nodes = names.map((name) => this.boot(name))
    for (const node of nodes) node.join(nodes[0]!)
    this.run(5_000)
    return nodes
  }

  run(ms: number): void {
    this.clock.run(ms)
  }

  /** Runs until it is so; how long that took, or fails. */
  runUntil(isSo: () => boolean, withinMs: number): number {
    const start = this.clock.now
    while (!isSo()) {
      if (this.clock.now - start >= withinMs) throw new Error(`It is not so after ${withinMs} ms.`)
      this.clock.run(10)
    }
    return this.clock.now - start
  }

  /** The node that has an address now, dead ones not. */
  at(address: string): MemberNode | undefined {
    return this.nodes.find((node) => node.address === address && node.hostUp)
  }

  sendPacket(from: MemberNode, to: string, body: Uint8Array): void {
    this.packets++
    this.tap(from, body)
    const lost = this.loss > 0 && this.#random() / 0x1_0000_0000 < this.loss
    if (lost) return
    this.clock.schedule(LATENCY_MS, () => {
      const node = this.at(to)
      if (node?.running && this.reaches(from, node, 'packet')) node.onPacket(body, from.address)
    })
  }

  connect(from: MemberNode, to: string, handlers: FrameHandlers): FrameStream {
    const owners = new Map<PipeEnd, MemberNode | undefined>()
    const [near, far] = PipeEnd.pair(
      {
        schedule: (step, end, about) => {
          const owner = owners.get(end)
          const other = owners.get(end === near ? far : near)
          if (about === 'self') this.clock.schedule(0, () => owner?.running && step())
          else if (owner !== undefined && other !== undefined) this.#carry(owner, other, step)
        },
      },
      [from.address, to],
    )
    near.handle(handlers)
    owners.set(near, from)
    const node = this.at(to)
    if (node === undefined) return near
    owners.set(far, node)
    this.#carry(from, node, () => {
      far.handle(node.onStream(far))
      this.#carry(node, from, () => {
        if (!near.closed) handlers.onOpen()
      })
    })
    return near
  }

  /** Whether a host completes a TCP handshake: its kernel does so even while its process hangs. */
  witness(from: MemberNode, to: string, timeoutMs: number, onResult: (reached: boolean) => void): void {
    const node = this.at(to)
    const reached =
      node !== undefined && this.reaches(from, node, 'stream') && this.reaches(node, from, 'stream')
    this.clock.schedule(reached ? 2 * LATENCY_MS : timeoutMs, () => from.running && onResult(reached))
  }

  #carry(from: MemberNode, to: MemberNode, step: () => void): void {
    this.clock.schedule(LATENCY_MS, () => {
      if (!from.running || !to.running) return
      if (this.reaches(from, to, 'stream')) step()
      else this.clock.schedule(RETRANSMISSION_MS, () => this.#carry(from, to, step))
    })
  }
}

export interface BootOptions {
  readonly address?: string
  /** What its wall clock is ahead of the true time. */
  readonly clockOffsetMs?: number
  readonly options?: Partial<MembershipOptions>
}

/** One process: membership over gossip and anti-entropy, as `Cluster` composes them. */
export class MemberNode {
  readonly name: string
  readonly address: string
  readonly membership: Membership
  readonly happenings: Happening[] = []
  readonly updates: string[] = []
  /** What was to be reported of others, in order. */
  readonly reports: string[] = []
  readonly twins: MemberRecord[] = []
  readonly raised: EpochId[] = []
  readonly forgotten: string[] = []
  jumps = 0
  readonly antiEntropy: AntiEntropy
  readonly #runtime: ScopedRuntime
  readonly #gossip: Gossip
  /** Whether the process runs, and whether the kernel of its host does. */
  running = true
  hostUp = true
  started = false

  constructor(world: MemberWorld, name: string, address: string, seed: number, boot: BootOptions) {
    this.name = name
    this.address = address
    const runtime = world.clock.runtime(seed, boot.clockOffsetMs)
    this.#runtime = runtime
    this.#gossip = new Gossip(runtime, GOSSIP, (to, body) => world.sendPacket(this, to, body.slice()))
    this.antiEntropy = new AntiEntropy(runtime, SYNC, {
      name,
      domains: () => [this.membership.domain],
      connect: (to, handlers) => world.connect(this, to, handlers),
      randomPeer: () => this.membership.randomPeer(),
      gossiping: () => this.#gossip.busy,
      backlogged: () => this.membership.backlogged,
      tell: () => {},
    })
    const self: MemberRecord = {
      name,
      address,
      epoch: { time: epochTime(runtime.wallClock()), nonce: runtime.randomUint32() },
      incarnation: 0,
      left: false,
      metadata: new Uint8Array(0),
      minVersion: 1,
      maxVersion: 1,
      hard: [],
      soft: [],
      keys: [],
    }
    this.membership = new Membership(runtime, { ...OPTIONS, ...boot.options }, self, {
      send: (to, peer, write) => this.#gossip.sendFilled(to, peer, write),
      announce: () => this.#gossip.announce(),
      witness: (to, timeoutMs, onResult) => world.witness(this, to, timeoutMs, onResult),
      streamPing: (to, id, nonce, timeoutMs, onAck) =>
        pingByStream(
          runtime,
          (handlers) => world.connect(this, to, handlers),
          { id, nonce },
          timeoutMs,
          onAck,
        ),
      digestsFor: () => [],
      compareDigests: (equal, _digests, member) =>
        this.antiEntropy.compare(this.membership.domain, equal, member),
      coordinate: () => new Uint8Array(0),
      measured() {},
      verdictChanged: (member) =>
        this.#note({ what: member.verdict, name: member.name, atMs: world.clock.now }),
      statusChanged: (member) =>
        this.reports.push(`${member.name} ${this.membership.verdicts.statusOf(member)}`),
      updated: (member) => this.updates.push(member.name),
      keysChanged() {},
      forgotten: (member) => this.forgotten.push(member.name),
      isolationChanged: (isolated) =>
        this.#note({ what: isolated ? 'isolated' : 'reconnected', atMs: world.clock.now }),
      clockJumped: () => this.jumps++,
      sync: (member, onEnd) =>
        this.antiEntropy.sync(member.address, ({ ok }) => {
          if (ok && this.running) this.membership.heardByStream()
          onEnd(ok)
        }),
      epochRaised: (epoch) => this.raised.push(epoch),
      twinFound: (record) => this.twins.push(record),
    })
    this.#gossip.addSource(this.membership)
  }

  /** Starts to take part, after a sync with a seed if there is one. */
  join(seed?: MemberNode): void {
    if (seed === undefined || seed === this) {
      this.#begin()
      return
    }
    this.sync(seed, ({ ok }) => {
      if (ok) this.membership.heardByStream()
      if (this.twins.length === 0) this.#begin()
    })
  }

  sync(peer: MemberNode, onEnd: (outcome: SyncOutcome) => void): void {
    this.antiEntropy.sync(peer.address, onEnd)
  }

  /** The whole machine falls silent. */
  crash(): void {
    this.hang()
    this.hostUp = false
  }

  /** The process stands still for good, its kernel does not. */
  hang(): void {
    this.running = false
    this.#runtime.close()
  }

  leave(): void {
    this.membership.leave()
  }

  view(name: string): Member | undefined {
    return this.membership.members.get(name)
  }

  verdict(name: string): Verdict | undefined {
    return this.view(name)?.verdict
  }

  /** What happened to a member, in order. */
  history(name: string): string[] {
    return this.happenings.flatMap((one) => ('name' in one && one.name === name ? [one.what] : []))
  }

  onPacket(body: Uint8Array, from: string): void {
    readMessages(body, (type, payload) => {
      if (type === MESSAGE.ping) this.membership.onPing(readPing(payload), from)
      if (type === MESSAGE.ack) this.membership.onAck(readAck(payload), from)
      if (type === MESSAGE.indirectPing) this.membership.onIndirectPing(readIndirectPing(payload), from)
      if (type === MESSAGE.nack) this.membership.onNack(readNack(payload))
      if (type === MESSAGE.member) this.membership.learn(readMemberRecord(payload), from)
      return !payload.failed
    })
  }

  onStream(stream: FrameStream): FrameHandlers {
    let handlers: FrameHandlers | undefined
    return {
      onOpen() {},
      onFrame: (frame) => {
        if (handlers !== undefined) return handlers.onFrame(frame)
        this.membership.heardByStream()
        const kind = new Reader(frame).u8()
        if (kind === STREAM_SYNC) handlers = this.antiEntropy.accept(stream)
        if (kind === STREAM_PING) {
          handlers = answerByStream(stream, frame, (id, nonce) => this.membership.isTarget(id, nonce))
        }
      },
      onDrain: () => handlers?.onDrain(),
      onClose: (error) => handlers?.onClose(error),
    }
  }

  #begin(): void {
    if (this.started) return
    this.started = true
    this.membership.announce()
    this.membership.start()
    this.antiEntropy.start()
  }

  #note(happening: Happening): void {
    this.happenings.push(happening)
  }
}
