import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import type { Runtime, Timer, Transport, TransportHandlers } from '../../src/runtime/runtime.ts'

/** The real runtime, with somebody between a node and its sockets. */
export abstract class RuntimeAround implements Runtime {
  protected readonly inner: NodeRuntime = new NodeRuntime()

  abstract listen(bind: string, handlers: TransportHandlers): Promise<Transport>

  now(): number {
    return this.inner.now()
  }

  wallClock(): number {
    return this.inner.wallClock()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.inner.setTimer(delayMs, callback)
  }

  defer(callback: () => void): void {
    this.inner.defer(callback)
  }

  afterPendingIo(callback: () => void): void {
    this.inner.afterPendingIo(callback)
  }

  randomUint32(): number {
    return this.inner.randomUint32()
  }

  fillRandom(bytes: Uint8Array): void {
    this.inner.fillRandom(bytes)
  }

  resolve(host: string): Promise<string[]> {
    return this.inner.resolve(host)
  }

  localAddresses(): readonly string[] {
    return this.inner.localAddresses()
  }
}
