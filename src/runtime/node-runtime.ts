import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { HearsayError } from '../errors.ts'
import { canonicalIp, formatAddress, parseAddress } from './address.ts'
import { errorCode } from './node-faults.ts'
import { PendingIo } from './node-pending-io.ts'
import { NodeRandom } from './node-random.ts'
import { nodeSecretFiles } from './node-secret-files.ts'
import { NodeTimer } from './node-timer.ts'
import { NodeTransport } from './node-transport.ts'
import type { Runtime, SecretFiles, Timer, Transport, TransportHandlers } from './runtime.ts'

/** A port chosen for packets may be taken for streams; so often another one is tried. */
const PORT_ATTEMPTS = 20

/** The real outside: Node's clocks, timers, randomness, sockets and resolver. */
export class NodeRuntime implements Runtime {
  readonly #random = new NodeRandom()
  readonly #pendingIo = new PendingIo()
  readonly secretFiles: SecretFiles = nodeSecretFiles

  now(): number {
    return performance.now()
  }

  wallClock(): number {
    return Date.now()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return new NodeTimer(delayMs, callback)
  }

  defer(callback: () => void): void {
    queueMicrotask(callback)
  }

  afterPendingIo(callback: () => void): void {
    this.#pendingIo.whenDelivered(callback)
  }

  randomUint32(): number {
    return this.#random.uint32()
  }

  fillRandom(bytes: Uint8Array): void {
    this.#random.fill(bytes)
  }

  /** Addresses with a zone id are left out, like everywhere (`address.ts`). */
  async resolve(host: string): Promise<string[]> {
    const ip = canonicalIp(host)
    if (ip !== undefined) return [ip]
    const found = await lookup(host, { all: true })
    const addresses = found
      .map(({ address }) => canonicalIp(address))
      .filter((address) => address !== undefined)
    if (addresses.length === 0) throw new Error(`no usable IP address found for "${host}"`)
    return [...new Set(addresses)]
  }

  /** Those of interfaces other than loopback, IPv4 before IPv6; link-local ones mean nothing elsewhere. */
  localAddresses(): readonly string[] {
    return Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, address }) => !internal && !/^(169\.254\.|fe80:)/i.test(address))
      .map(({ address }) => canonicalIp(address))
      .filter((ip) => ip !== undefined)
      .sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
  }

  /** A name is resolved, and its first address bound. `[::]` takes IPv4 as well (`node-addresses.ts`). */
  async listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    const { host, port } = parseAddress(bind)
    for (let attempt = 1; ; attempt++) {
      try {
        const [ip] = await this.resolve(host)
        return await NodeTransport.open(ip!, port, handlers, this.#pendingIo)
      } catch (error) {
        const anotherPort = port === 0 && errorCode(error) === 'EADDRINUSE' && attempt < PORT_ATTEMPTS
        if (!anotherPort) throw bindFailure(formatAddress(host, port), error)
      }
    }
  }
}

const BIND_ADVICE: Record<string, string> = {
  EADDRINUSE: 'something else uses the port; choose another one, or 0 for any',
  EADDRNOTAVAIL: 'this host does not have the address; choose one of its own, or "0.0.0.0" for all of them',
  EACCES: 'this user may not bind the port; choose one from 1024 on',
  EAFNOSUPPORT: 'this host does not speak that version of IP',
  ENOTFOUND: 'the name has no address; write an IP address',
}

function bindFailure(address: string, cause: unknown): HearsayError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const advice = BIND_ADVICE[errorCode(cause) ?? '']
  return new HearsayError('ERR_BIND_FAILED', `cannot bind ${address}: ${advice ?? 'see cause'} (${reason})`, {
    cause,
  })
}
