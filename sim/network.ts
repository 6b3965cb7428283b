import { log } from './arithmetic.ts'
import { Lognormal, type Random } from './random.ts'
import { LAN, regionOf, type Topology } from './topologies.ts'
import type { VirtualHost } from './virtual-host.ts'

/** The network between the hosts. The defaults are a quiet LAN. */
export interface NetworkOptions {
  /** Median one-way latency; each packet draws its own from a lognormal distribution. Default 0.8. */
  readonly latencyMs?: number
  /** Standard deviation of the latency's logarithm; 0 makes it constant. Default 0.5. */
  readonly latencySigma?: number
  /** Regions, and the round trips between them. Default: `LAN`. */
  readonly topology?: Topology
  /** What the distance between two hosts, given by name, adds one way. Default: nothing. */
  readonly distanceMs?: (from: string, to: string) => number
  /** Probability that a packet, or one transmission of a stream's segment, is lost. Default 0. */
  readonly loss?: number
  /** Probability that a packet arrives twice. Default 0. */
  readonly duplication?: number
  /** Probability that a packet is held up, so that later ones overtake it. Default 0. */
  readonly reordering?: number
  /** Mean of the exponential time for which such a packet is held up. Default 20. */
  readonly reorderMs?: number
  /** Probability that some bits of a packet are flipped on its way. Default 0. */
  readonly corruption?: number
  /** Probability that an open stream breaks within a second, for both ends. Default 0. */
  readonly streamBreaks?: number
  /** Larger packets are dropped. UDP payload; default 1,472. */
  readonly mtuBytes?: number
  /** Of each host's uplink; Infinity: no limit. Default 1,000. */
  readonly bandwidthMbps?: number
  /** How long a process is busy with one packet or one event of a stream. Default 0.05. */
  readonly serviceMs?: number
  /** What waits for a busy or paused process beyond this is dropped, and what waits for an uplink. Default 4 MiB. */
  readonly socketBufferBytes?: number
  /** A stream fails when nothing of it got through for so long. Default 15,000. */
  readonly streamTimeoutMs?: number
}

/** Hosts that cannot reach each other: those of different groups, or `from` to `to` only. */
type Cut =
  | { readonly kind: 'partition'; readonly groups: ReadonlyMap<VirtualHost, number> }
  | {
      readonly kind: 'one-way'
      readonly from: ReadonlySet<VirtualHost>
      readonly to: ReadonlySet<VirtualHost>
    }

const FIRST_RETRANSMISSION_MS = 200
/** Bits that corruption flips in a packet, at most. */
const MOST_FLIPS = 4
const BITS = [0, 1, 2, 3, 4, 5, 6, 7]

/** Decides what arrives and when. Every kind of chance draws from a stream of its own. */
export class Network {
  /** May be changed at any time. */
  loss: number
  /** May be changed at any time. */
  duplication: number
  /** May be changed at any time. */
  reordering: number
  /** May be changed at any time. */
  corruption: number
  /** May be changed at any time; counts for streams that open from then on. */
  streamBreaks: number
  readonly reorderMs: number
  readonly mtuBytes: number
  readonly serviceMs: number
  readonly socketBufferBytes: number
  readonly streamTimeoutMs: number
  readonly #latency: Lognormal
  readonly #topology: Topology
  readonly #distanceMs: ((from: string, to: string) => number) | undefined
  readonly #msPerByte: number
  readonly #latencyDraws: Random
  readonly #lossDraws: Random
  readonly #duplicationDraws: Random
  readonly #cutDraws: Random
  readonly #reorderingDraws: Random
  readonly #corruptionDraws: Random
  readonly #breakDraws: Random
  #cuts: Cut[] = []

  constructor(options: NetworkOptions, random: Random) {
    this.loss = options.loss ?? 0
    this.duplication = options.duplication ?? 0
    this.reordering = options.reordering ?? 0
    this.reorderMs = options.reorderMs ?? 20
    this.corruption = options.corruption ?? 0
    this.streamBreaks = options.streamBreaks ?? 0
    this.mtuBytes = options.mtuBytes ?? 1472
    this.serviceMs = options.serviceMs ?? 0.05
    this.socketBufferBytes = options.socketBufferBytes ?? 4 * 1024 * 1024
    this.streamTimeoutMs = options.streamTimeoutMs ?? 15_000
    this.#latency = new Lognormal(options.latencyMs ?? 0.8, options.latencySigma ?? 0.5)
    this.#topology = options.topology ?? LAN
    this.#distanceMs = options.distanceMs
    this.#msPerByte = 8 / ((options.bandwidthMbps ?? 1000) * 1000)
    this.#latencyDraws = random.fork('latency')
    this.#lossDraws = random.fork('loss')
    this.#duplicationDraws = random.fork('duplication')
    this.#cutDraws = random.fork('segmentation')
    this.#reorderingDraws = random.fork('reordering')
    this.#corruptionDraws = random.fork('corruption')
    this.#breakDraws = random.fork('stream breaks')
  }

  /** One way, without waiting for the uplink. */
  latency(from: VirtualHost, to: VirtualHost): number {
    const region = this.#topology.roundTripMs[from.region]![to.region]! / 2
    const distance = this.#distanceMs === undefined ? region : region + this.#distanceMs(from.name, to.name)
    return this.#latency.draw(this.#latencyDraws) + distance
  }

  /** When what is sent now arrives; takes its time on the sender's uplink. */
  arrival(now: number, from: VirtualHost, to: VirtualHost, bytes: number): number {
    const departure = Math.max(now, from.uplinkFreeAt) + bytes * this.#msPerByte
    from.uplinkFreeAt = departure
    return departure + this.latency(from, to)
  }

  /** Whether so much waits for the uplink that the kernel takes no more packets. */
  uplinkFull(now: number, from: VirtualHost): boolean {
    return from.uplinkFreeAt - now > this.socketBufferBytes * this.#msPerByte
  }

  lost(from: VirtualHost, to: VirtualHost): boolean {
    const probability = this.#lossBetween(from, to)
    return probability > 0 && this.#lossDraws.chance(probability)
  }

  duplicated(): boolean {
    return this.duplication > 0 && this.#duplicationDraws.chance(this.duplication)
  }

  /** For how long a packet is held up beyond its latency. */
  holdUpMs(): number {
    if (this.reordering === 0 || !this.#reorderingDraws.chance(this.reordering)) return 0
    return this.#reorderingDraws.exponential(this.reorderMs)
  }

  /** Flips some bits of a packet, or leaves it alone; says whether it did. */
  corrupts(packet: Uint8Array): boolean {
    if (this.corruption === 0 || packet.length === 0 || !this.#corruptionDraws.chance(this.corruption))
      return false
    // Different bits of one byte: no flip undoes another.
    const at = this.#corruptionDraws.int(packet.length)
    const flips = 1 + this.#corruptionDraws.int(MOST_FLIPS)
    for (const bit of this.#corruptionDraws.sample(BITS, flips)) packet[at] = packet[at]! ^ (1 << bit)
    return true
  }

  /** How long a stream that opens now lives before the network breaks it; Infinity: it does not. */
  streamLifeMs(): number {
    if (this.streamBreaks === 0) return Number.POSITIVE_INFINITY
    if (this.streamBreaks >= 1) return 0
    return this.#breakDraws.exponential(-1000 / log(1 - this.streamBreaks))
  }

  /** Which region a host stands in, and what its link to the world loses, by the order in which hosts are made. */
  place(hostIndex: number): { readonly region: number; readonly linkLoss: number } {
    const region = regionOf(this.#topology, hostIndex)
    return { region, linkLoss: this.#topology.regions[region]!.loss }
  }

  /** How long the retransmissions of a stream's segment take; 0 if its first transmission arrives. */
  retransmissionMs(from: VirtualHost, to: VirtualHost): number {
    let delay = 0
    let timeout = FIRST_RETRANSMISSION_MS
    while (delay < this.streamTimeoutMs && this.lost(from, to)) {
      delay += timeout
      timeout *= 2
    }
    return delay
  }

  /** Where a write is cut in two, as TCP may do anywhere; 0: not at all. */
  cutAt(length: number): number {
    const draw = this.#cutDraws.uint32()
    return (draw & 15) === 0 ? (draw >>> 4) % length : 0
  }

  blocked(from: VirtualHost, to: VirtualHost): boolean {
    for (const cut of this.#cuts) if (separates(cut, from, to)) return true
    return false
  }

  /** Whether a host is kept from any other. */
  cuts(host: VirtualHost): boolean {
    return this.#cuts.some((cut) =>
      cut.kind === 'one-way' ? cut.from.has(host) || cut.to.has(host) : cut.groups.has(host),
    )
  }

  /** Separates groups of hosts; hosts in no group reach everyone. Returns what ends it. */
  partition(groups: readonly (readonly VirtualHost[])[]): () => void {
    const numbered = new Map<VirtualHost, number>()
    groups.forEach((group, number) => {
      for (const host of group) numbered.set(host, number)
    })
    return this.#add({ kind: 'partition', groups: numbered })
  }

  /** Lets nothing through from the first hosts to the second. Returns what ends it. */
  blockOneWay(from: readonly VirtualHost[], to: readonly VirtualHost[]): () => void {
    return this.#add({ kind: 'one-way', from: new Set(from), to: new Set(to) })
  }

  /** Ends every partition and block. */
  heal(): void {
    this.#cuts = []
  }

  #add(cut: Cut): () => void {
    this.#cuts.push(cut)
    return () => {
      this.#cuts = this.#cuts.filter((other) => other !== cut)
    }
  }

  #lossBetween(from: VirtualHost, to: VirtualHost): number {
    if (this.loss + from.egressLoss + to.ingressLoss + from.linkLoss + to.linkLoss === 0) return 0
    const own = (1 - from.egressLoss) * (1 - to.ingressLoss)
    return 1 - (1 - this.loss) * own * (1 - from.linkLoss) * (1 - to.linkLoss)
  }
}

function separates(cut: Cut, from: VirtualHost, to: VirtualHost): boolean {
  if (cut.kind === 'one-way') return cut.from.has(from) && cut.to.has(to)
  const here = cut.groups.get(from)
  const there = cut.groups.get(to)
  return here !== undefined && there !== undefined && here !== there
}
