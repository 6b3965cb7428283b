import { HearsayError } from '../src/errors.ts'
import { canonicalIp, formatAddress, isWildcard, parseAddress } from '../src/runtime/address.ts'
import type { Runtime, SecretFiles, Timer, Transport, TransportHandlers } from '../src/runtime/runtime.ts'
import { QueuedEvent } from './event-queue.ts'
import type { IoEvent } from './io-event.ts'
import type { Random } from './random.ts'
import { TRACED } from './trace.ts'
import type { VirtualHost } from './virtual-host.ts'
import { VirtualPort } from './virtual-port.ts'
import type { VirtualWorld } from './virtual-world.ts'

/** The wall clock when a world begins: 2025-01-01, 00:00 UTC. */
const WORLD_BEGAN_MS = 1_735_689_600_000
const RESOLVE_MS = 1
const COMPACT_INBOX_FROM = 1024

/**
 * One process: an event loop in virtual time. While it is paused nothing is called; what is due waits, and afterwards comes as
 * Node's loop would bring it: timers first, then I/O, then those who asked to be called after pending I/O.
 */
export class VirtualRuntime implements Runtime {
  readonly host: VirtualHost
  readonly #world: VirtualWorld
  readonly #random: Random
  readonly #secrets: Random
  readonly #ports = new Set<VirtualPort>()
  /** Every node's monotonic clock has a zero of its own, so that comparing those of two nodes shows as nonsense. */
  readonly #clockZero: number
  #alive = true
  #pausedUntil = 0
  #paused = false
  #inbox: IoEvent[] = []
  #inboxHead = 0
  #inboxBytes = 0
  #busyUntil = 0
  #serviceScheduled = false
  #arrived = 0
  #delivered = 0
  #afterIo: { readonly arrived: number; readonly callback: () => void }[] = []
  #heldTimers: TimerEvent[] = []
  #heldDeferred: (() => void)[] = []

  constructor(host: VirtualHost, random: Random) {
    this.host = host
    this.#world = host.world
    this.#random = random
    this.#secrets = random.fork('secrets')
    this.#clockZero = random.fork('clock').int(1_000_000)
  }

  get alive(): boolean {
    return this.#alive
  }

  get paused(): boolean {
    return this.#paused
  }

  now(): number {
    return this.#world.now + this.#clockZero
  }

  wallClock(): number {
    return WORLD_BEGAN_MS + this.#world.now + this.host.clockOffsetMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = new TimerEvent(this, callback)
    if (this.#alive) this.#world.schedule(this.#world.now + Math.max(0, delayMs), timer)
    return timer
  }

  defer(callback: () => void): void {
    if (this.#alive) this.#world.defer(this, callback)
  }

  afterPendingIo(callback: () => void): void {
    // What arrives in this very instant and was sent before comes before it in the queue.
    if (this.#alive) this.#world.schedule(this.#world.now, new AfterIoEvent(this, callback))
  }

  randomUint32(): number {
    return this.#random.uint32()
  }

  fillRandom(bytes: Uint8Array): void {
    this.#secrets.fill(bytes)
  }

  resolve(host: string): Promise<string[]> {
    const ip = canonicalIp(host) ?? this.#world.knownHost(host)?.ip
    return new Promise((resolve, reject) => {
      this.#later(RESOLVE_MS, () => {
        if (ip === undefined) reject(new Error(`no host is named "${host}"`))
        else resolve([ip])
      })
    })
  }

  localAddresses(): readonly string[] {
    return [this.host.ip]
  }

  listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    return this.#eventually(() => this.#bind(bind, handlers))
  }

  /** On the disk of its host. Whatever is there, nobody else can read it. */
  readonly secretFiles: SecretFiles = {
    read: (path, mostBytes) =>
      this.#eventually(() => {
        const bytes = this.host.files.get(path)
        if (bytes === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
        return { bytes: bytes.slice(0, mostBytes + 1), shared: false }
      }),
    replace: (path, bytes) => {
      const content = bytes.slice()
      return this.#eventually(() => void this.host.files.set(path, content))
    },
  }

  /** Calls into the node's code; what it throws is kept as a fault of the run. */
  call(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.#world.fault(this.host.name, error)
    }
  }

  /** The process ends: nothing of it is called any more. */
  die(tellPeers: boolean): void {
    this.#alive = false
    for (const port of this.#ports) port.abandon(tellPeers)
    this.#ports.clear()
    for (const io of this.#inbox) io.drop()
    this.#inbox = []
    this.#inboxHead = 0
    this.#afterIo = []
    this.#heldTimers = []
    this.#heldDeferred = []
  }

  /** Called by a port that closes. */
  released(port: VirtualPort): void {
    this.#ports.delete(port)
  }

  pause(ms: number): void {
    const until = this.#world.now + ms
    if (until <= this.#pausedUntil) return
    this.#pausedUntil = until
    this.#paused = true
    this.#world.schedule(until, new WakeEvent(this, until))
  }

  wake(until: number): void {
    if (!this.#alive || until !== this.#pausedUntil) return
    this.#paused = false
    this.#world.record(TRACED.woken, this.host.index, this.host.index, 0, 0)
    const deferred = this.#heldDeferred
    const timers = this.#heldTimers
    this.#heldDeferred = []
    this.#heldTimers = []
    for (const callback of deferred) this.runDeferred(callback)
    this.#world.runDeferred()
    for (const timer of timers) {
      timer.release()
      this.#world.runDeferred()
    }
    this.service()
  }

  /** The kernel has something for the process. */
  receive(io: IoEvent): void {
    if (!this.#alive) {
      io.drop()
    } else if (this.#paused || this.#inboxHead < this.#inbox.length || this.#busyUntil > this.#world.now) {
      this.#enqueue(io)
    } else {
      this.#arrived++
      this.#deliver(io)
    }
  }

  /** Delivers what waits, as far as the time for it has come. */
  service(): void {
    while (this.#alive && !this.#paused && this.#inboxHead < this.#inbox.length) {
      if (this.#busyUntil > this.#world.now) {
        this.#scheduleService()
        return
      }
      const io = this.#inbox[this.#inboxHead++]!
      this.#inboxBytes -= io.bufferBytes
      if (this.#inboxHead >= COMPACT_INBOX_FROM) this.#compactInbox()
      this.#deliver(io)
      this.#world.runDeferred()
      this.#runAfterIo()
    }
    if (this.#alive && !this.#paused) this.#runAfterIo()
  }

  serviceDue(): void {
    this.#serviceScheduled = false
    this.service()
  }

  runTimer(timer: TimerEvent): void {
    if (!this.#alive) return
    if (this.#paused) {
      this.#heldTimers.push(timer)
      timer.held = true
    } else {
      this.#world.record(TRACED.timer, this.host.index, this.host.index, 0, 0)
      this.call(timer.callback)
    }
  }

  cancelTimer(timer: TimerEvent): void {
    if (this.#alive) this.#world.cancel(timer)
  }

  runDeferred(callback: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#heldDeferred.push(callback)
    else this.call(callback)
  }

  /** The instant is over; what had arrived by then may still wait for a busy or paused process. */
  runAfterIo(callback: () => void): void {
    if (!this.#alive) return
    if (this.#paused || this.#inboxHead < this.#inbox.length) {
      this.#afterIo.push({ arrived: this.#arrived, callback })
    } else {
      this.call(callback)
    }
  }

  #deliver(io: IoEvent): void {
    this.#delivered++
    this.#busyUntil = this.#world.now + this.#world.network.serviceMs
    try {
      io.deliver()
    } catch (error) {
      this.#world.fault(this.host.name, error)
    }
  }

  #enqueue(io: IoEvent): void {
    if (io.bufferBytes > 0 && this.#inboxBytes + io.bufferBytes > this.#world.network.socketBufferBytes) {
      this.host.traffic.packetsOverflowed++
      io.drop()
      return
    }
    this.#arrived++
    this.#inboxBytes += io.bufferBytes
    this.#inbox.push(io)
    if (!this.#paused) this.#scheduleService()
  }

  #scheduleService(): void {
    if (this.#serviceScheduled) return
    this.#serviceScheduled = true
    this.#world.schedule(Math.max(this.#busyUntil, this.#world.now), new ServiceEvent(this))
  }

  #runAfterIo(): void {
    while (this.#afterIo.length > 0 && this.#afterIo[0]!.arrived <= this.#delivered) {
      const { callback } = this.#afterIo.shift()!
      this.call(callback)
      this.#world.runDeferred()
      if (!this.#alive || this.#paused) return
    }
  }

  #compactInbox(): void {
    this.#inbox = this.#inbox.slice(this.#inboxHead)
    this.#inboxHead = 0
  }

  /** Settles a promise from within virtual time. */
  #later(delayMs: number, settle: () => void): void {
    this.setTimer(delayMs, () => {
      this.#world.yieldWanted = true
      settle()
    })
  }

  #eventually<T>(produce: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#later(0, () => {
        try {
          resolve(produce())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #bind(bind: string, handlers: TransportHandlers): VirtualPort {
    const { host, port } = parseAddress(bind)
    if (!isWildcard(host) && host !== this.host.ip) throw bindFailed(bind, 'is not an address of this host')
    let chosen = port
    while (chosen === 0 || (port === 0 && this.#occupied(chosen))) chosen = this.host.nextPort()
    if (this.#occupied(chosen)) throw bindFailed(bind, 'is occupied')
    const endpoint = this.#world.openEndpoint(this.host, formatAddress(this.host.ip, chosen))
    const bound = new VirtualPort(this, endpoint, formatAddress(host, chosen), handlers)
    endpoint.port = bound
    this.#ports.add(bound)
    return bound
  }

  #occupied(port: number): boolean {
    return this.#world.endpoint(formatAddress(this.host.ip, port))?.port !== undefined
  }
}

class TimerEvent extends QueuedEvent implements Timer {
  readonly #process: VirtualRuntime
  readonly callback: () => void
  /** Due while its process was paused. */
  held = false
  #over = false

  constructor(process: VirtualRuntime, callback: () => void) {
    super()
    this.#process = process
    this.callback = callback
  }

  fire(): void {
    this.#process.runTimer(this)
    if (!this.held) this.#over = true
  }

  /** The pause that held it is over. */
  release(): void {
    this.held = false
    if (!this.#over) this.fire()
  }

  cancel(): void {
    if (this.#over) return
    this.#over = true
    if (!this.held) this.#process.cancelTimer(this)
  }
}

class AfterIoEvent extends QueuedEvent {
  readonly #process: VirtualRuntime
  readonly #callback: () => void

  constructor(process: VirtualRuntime, callback: () => void) {
    super()
    this.#process = process
    this.#callback = callback
  }

  fire(): void {
    this.#process.runAfterIo(this.#callback)
  }
}

class WakeEvent extends QueuedEvent {
  readonly #process: VirtualRuntime
  readonly #until: number

  constructor(process: VirtualRuntime, until: number) {
    super()
    this.#process = process
    this.#until = until
  }

  fire(): void {
    this.#process.wake(this.#until)
  }
}

class ServiceEvent extends QueuedEvent {
  readonly #process: VirtualRuntime

  constructor(process: VirtualRuntime) {
    super()
    this.#process = process
  }

  fire(): void {
    this.#process.serviceDue()
  }
}

function bindFailed(bind: string, why: string): HearsayError {
  return new HearsayError('ERR_BIND_FAILED', `cannot bind ${bind}: it ${why}; choose another address or port`)
}
