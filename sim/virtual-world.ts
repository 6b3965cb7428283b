import { EventQueue, type QueuedEvent } from './event-queue.ts'
import { Network, type NetworkOptions } from './network.ts'
import { Random } from './random.ts'
import { Trace } from './trace.ts'
import { VirtualHost } from './virtual-host.ts'
import type { VirtualPort } from './virtual-port.ts'
import type { VirtualRuntime } from './virtual-runtime.ts'

/**
 * Virtual time goes in steps of 2^-10 ms, about a microsecond. Sums of such times are exact in floating point, so that a timer
 * never seems to fire early by a rounding error, on no node's clock.
 */
export const TICKS_PER_MS = 1024

/** The first tick that is not before `time`. */
export function toTick(time: number): number {
  return Math.ceil(time * TICKS_PER_MS) / TICKS_PER_MS
}

/** An address that a port was once bound to. */
export interface Endpoint {
  readonly address: string
  readonly host: VirtualHost
  /** Missing while nobody listens. */
  port: VirtualPort | undefined
}

/** An exception that a node's code let escape into the world. */
export interface Fault {
  readonly atMs: number
  readonly node: string
  readonly error: unknown
}

const MAX_FAULTS = 100

/** Hosts, the network between them, and the time that they share. Nothing in it depends on the real world. */
export class VirtualWorld {
  readonly seed: number
  readonly random: Random
  readonly network: Network
  readonly trace: Trace = new Trace()
  readonly hosts: VirtualHost[] = []
  readonly faults: Fault[] = []
  /** Exceptions seen, those beyond the first hundred included. */
  faultCount = 0
  /** Virtual ms since the world began. */
  now = 0
  /** Events that have fired. */
  events = 0
  /** Set when a promise of the runtime has settled, so that who waits for it goes on before time does. */
  yieldWanted = false
  /** Called before time goes on, for whoever only looks; must not touch the world. */
  onLook: (() => void) | undefined
  /** Sees every packet and every piece of a stream that a process is given; must not change it. */
  tap: ((to: VirtualHost, bytes: Uint8Array) => void) | undefined
  readonly #queue = new EventQueue()
  readonly #hostsByName = new Map<string, VirtualHost>()
  readonly #endpoints = new Map<string, Endpoint>()
  #deferred: (() => void)[] = []
  #deferredBy: VirtualRuntime[] = []

  constructor(options: { readonly seed: number; readonly network?: NetworkOptions }) {
    this.seed = options.seed
    this.random = new Random(options.seed)
    this.network = new Network(options.network ?? {}, this.random.fork('network'))
  }

  /** The host of that name, made if there is none. */
  host(name: string): VirtualHost {
    const known = this.#hostsByName.get(name)
    if (known !== undefined) return known
    const host = new VirtualHost(this, name, this.hosts.length)
    this.hosts.push(host)
    this.#hostsByName.set(name, host)
    return host
  }

  knownHost(name: string): VirtualHost | undefined {
    return this.#hostsByName.get(name)
  }

  /** Where an address leads; undefined if nobody ever listened there. */
  endpoint(address: string): Endpoint | undefined {
    return this.#endpoints.get(address)
  }

  /** The endpoint of an address, made if there is none. */
  openEndpoint(host: VirtualHost, address: string): Endpoint {
    let endpoint = this.#endpoints.get(address)
    if (endpoint === undefined) {
      endpoint = { address, host, port: undefined }
      this.#endpoints.set(address, endpoint)
    }
    return endpoint
  }

  /** Lets an event happen at `time`, rounded up to the next tick. */
  schedule(time: number, event: QueuedEvent): void {
    this.#queue.push(toTick(time), event)
  }

  cancel(event: QueuedEvent): void {
    this.#queue.cancel(event)
  }

  defer(process: VirtualRuntime, callback: () => void): void {
    this.#deferred.push(callback)
    this.#deferredBy.push(process)
  }

  /** Runs what was deferred, and what that defers. */
  runDeferred(): void {
    while (this.#deferred.length > 0) {
      const callbacks = this.#deferred
      const processes = this.#deferredBy
      this.#deferred = []
      this.#deferredBy = []
      for (let i = 0; i < callbacks.length; i++) processes[i]!.runDeferred(callbacks[i]!)
    }
  }

  /** When something happens next; Infinity if nothing ever will. */
  nextEventTime(): number {
    return this.#deferred.length > 0 ? this.now : this.#queue.nextTime()
  }

  /** Lets everything happen that is due by `time`; false if somebody outside should go on before all of it has. */
  runUntil(time: number): boolean {
    this.yieldWanted = false
    this.onLook?.()
    this.runDeferred()
    while (!this.yieldWanted) {
      const at = this.#queue.nextTime()
      if (at > time) {
        if (time > this.now) this.now = time
        return true
      }
      this.now = at
      this.events++
      this.#queue.popDue(at)!.fire()
      if (this.#deferred.length > 0) this.runDeferred()
    }
    return false
  }

  record(kind: number, from: number, to: number, size: number, hash: number): void {
    this.trace.record(this.now * TICKS_PER_MS, kind, from, to, size, hash)
  }

  /** A node's code threw. Its process lives on: the run is to show everything that is wrong. */
  fault(node: string, error: unknown): void {
    this.faultCount++
    if (this.faults.length < MAX_FAULTS) this.faults.push({ atMs: this.now, node, error })
  }
}
