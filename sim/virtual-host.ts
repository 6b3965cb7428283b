import type { Random } from './random.ts'
import { TRACED } from './trace.ts'
import { Traffic } from './traffic.ts'
import { VirtualRuntime } from './virtual-runtime.ts'
import type { VirtualWorld } from './virtual-world.ts'

const FIRST_EPHEMERAL_PORT = 32_768
const EPHEMERAL_PORTS = 28_000

/** A machine with one address: a kernel, and at most one process. It keeps its address over crashes. */
export class VirtualHost {
  readonly world: VirtualWorld
  readonly name: string
  readonly ip: string
  readonly index: number
  /** Where it stands in the network's topology. */
  readonly region: number
  /** What its link to the rest of the world loses, each way. */
  readonly linkLoss: number
  readonly random: Random
  readonly traffic: Traffic = new Traffic()
  process: VirtualRuntime | undefined
  /** Whether the kernel runs. */
  up = false
  /** Until when the kernel stands still together with the process. */
  frozenUntil = 0
  /** What the wall clock is ahead of the true time. May be changed at any time. */
  clockOffsetMs = 0
  /** Probability that a packet is lost on its way out, beyond the network's own. May be changed at any time. */
  egressLoss = 0
  /** The same on its way in. */
  ingressLoss = 0
  uplinkFreeAt = 0
  readonly #files = new Map<string, Uint8Array>()
  #boots = 0
  #bootedAt = 0
  #ranMs = 0
  #ports = 0

  constructor(world: VirtualWorld, name: string, index: number) {
    this.world = world
    this.name = name
    this.index = index
    const { region, linkLoss } = world.network.place(index)
    this.region = region
    this.linkLoss = linkLoss
    const number = index + 1
    this.ip = `10.${(number >>> 16) & 0xff}.${(number >>> 8) & 0xff}.${number & 0xff}`
    this.random = world.random.fork(`host ${name}`)
  }

  /** Its disk, by path: it outlives the process and the crash of the machine. Keys may be there, so no dump shows it. */
  get files(): Map<string, Uint8Array> {
    return this.#files
  }

  get frozen(): boolean {
    return this.world.now < this.frozenUntil
  }

  /** How long processes ran here, in all. */
  get ranMs(): number {
    return this.process === undefined ? this.#ranMs : this.#ranMs + this.world.now - this.#bootedAt
  }

  /** How often a process was started here. */
  get boots(): number {
    return this.#boots
  }

  /** A port that no stream or packet of this host used lately. */
  nextPort(): number {
    return FIRST_EPHEMERAL_PORT + (this.#ports++ % EPHEMERAL_PORTS)
  }

  /** Starts the machine if it is down, and a new process on it. */
  boot(): VirtualRuntime {
    if (this.process !== undefined) throw new Error(`${this.name} runs already`)
    this.up = true
    this.frozenUntil = 0
    this.uplinkFreeAt = 0
    this.#bootedAt = this.world.now
    this.#record(TRACED.booted)
    this.process = new VirtualRuntime(this, this.random.fork(`process ${++this.#boots}`))
    return this.process
  }

  /** The process dies, and its kernel tells the peers of its streams. */
  kill(): void {
    this.#stop(true)
  }

  /** The whole machine falls silent. */
  crash(): void {
    this.#stop(false)
    this.up = false
  }

  /** Stalls the process, or the whole machine with its kernel. */
  pause(ms: number, wholeHost: boolean): void {
    if (this.process === undefined) return
    if (wholeHost) this.frozenUntil = Math.max(this.frozenUntil, this.world.now + ms)
    this.process.pause(ms)
  }

  #stop(tellPeers: boolean): void {
    this.#record(TRACED.stopped)
    this.#ranMs = this.ranMs
    this.process?.die(tellPeers)
    this.process = undefined
  }

  #record(kind: number): void {
    this.world.record(kind, this.index, this.index, 0, 0)
  }
}
