import { Lognormal, type Random } from './random.ts'
import type { VirtualHost } from './virtual-host.ts'

/** The network between the hosts. The defaults are a quiet LAN. */
export interface NetworkOptions {
  /** Median one-way latency; each packet draws its own from a lognormal distribution. Default 0.8. */
  readonly latencyMs?: number
  /** Standard deviation of the latency's logarithm; 0 makes it constant. Default 0.5. */
  readonly latencySigma?: number
  /** What the distance between two hosts, given by name, adds one way. Default: nothing. */
  readonly distanceMs?: (from: string, to: string) => number
  /** Probability that a packet, or one transmission of a stream's segment, is lost. Default 0. */
  readonly loss?: number
  /** Probability that a packet arrives twice. Default 0. */
  readonly duplication?: number
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

/** Decides what arrives and when. Every kind of chance draws from a stream of its own. */
export class Network {
  /** May be changed at any time. */
  loss: number
  /** May be changed at any time. */
  duplication: number
  readonly mtuBytes: number
  readonly serviceMs: number
  readonly socketBufferBytes: number
  readonly streamTimeoutMs: number
  readonly #latency: Lognormal
  readonly #distanceMs: ((from: string, to: string) => number) | undefined
  readonly #msPerByte: number
  readonly #latencyDraws: Random
  readonly #lossDraws: Random
  readonly #duplicationDraws: Random
  readonly #cutDraws: Random
  #cuts: Cut[] = []

  constructor(options: NetworkOptions, random: Random) {
    this.loss = options.loss ?? 0
    this.duplication = options.duplication ?? 0
    this.mtuBytes = options.mtuBytes ?? 1472
    this.serviceMs = options.serviceMs ?? 0.05
    this.socketBufferBytes = options.socketBufferBytes ?? 4 * 1024 * 1024
    this.streamTimeoutMs = options.streamTimeoutMs ?? 15_000
    this.#latency = new Lognormal(options.latencyMs ?? 0.8, options.latencySigma ?? 0.5)
    this.#distanceMs = options.distanceMs
    this.#msPerByte = 8 / ((options.bandwidthMbps ?? 1000) * 1000)
    this.#latencyDraws = random.fork('latency')
    this.#lossDraws = random.fork('loss')
    this.#duplicationDraws = random.fork('duplication')
    this.#cutDraws = random.fork('segmentation')
  }

  /** One way, without waiting for the uplink. */
  latency(from: VirtualHost, to: VirtualHost): number {
    const distance = this.#distanceMs === undefined ? 0 : this.#distanceMs(from.name, to.name)
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
    const clean = this.loss + from.egressLoss + to.ingressLoss === 0
    return !clean && this.#lossDraws.chance(this.#lossBetween(from, to))
  }

  duplicated(): boolean {
    return this.duplication > 0 && this.#duplicationDraws.chance(this.duplication)
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
    return 1 - (1 - this.loss) * (1 - from.egressLoss) * (1 - to.ingressLoss)
  }
}

function separates(cut: Cut, from: VirtualHost, to: VirtualHost): boolean {
  if (cut.kind === 'one-way') return cut.from.has(from) && cut.to.has(to)
  const here = cut.groups.get(from)
  const there = cut.groups.get(to)
  return here !== undefined && there !== undefined && here !== there
}
