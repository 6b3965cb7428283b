import { Keyring } from '../../src/security/keyring.ts'
import { NonceSource } from '../../src/security/nonces.ts'
import { SealedPackets } from '../../src/security/sealed-packets.ts'
import { loadSodium } from '../../src/security/sodium.ts'
import { MESSAGE, readAck, readMessages, readPing, type Token } from '../../src/wire/messages.ts'
import type { Siege } from './siege.ts'
import type { Tap } from './tap.ts'

/** How long a node's pings take to be answered, read off its wire by somebody who holds the key. */
export class ProbeTimes {
  readonly #packets: SealedPackets
  readonly #open = new Map<string, { readonly to: string; readonly atMs: number }>()
  readonly #times = new Map<string, number[]>()

  static async of({ tap }: { readonly tap: Tap }, { key, label }: Siege): Promise<ProbeTimes> {
    const sodium = await loadSodium()
    const nonces = new NonceSource((bytes) => bytes.fill(0))
    const times = new ProbeTimes(new SealedPackets(sodium, new Keyring(sodium, [key]), label, nonces))
    tap.sees = (direction, packet, address) => times.#see(direction, packet, address)
    return times
  }

  private constructor(packets: SealedPackets) {
    this.#packets = packets
  }

  /** What was measured since this was last asked: ms, ascending, of pings to an address. */
  take(address: string): number[] {
    const times = this.#times.get(address) ?? []
    this.#times.delete(address)
    return times.sort((a, b) => a - b)
  }

  #see(direction: 'out' | 'in', packet: Uint8Array, address: string): void {
    const opened = this.#packets.open(packet)
    if (typeof opened === 'string') return
    const now = performance.now()
    readMessages(opened.body, (type, payload) => {
      if (direction === 'out' && type === MESSAGE.ping) {
        this.#open.set(text(readPing(payload).token), { to: address, atMs: now })
      } else if (direction === 'in' && type === MESSAGE.ack) {
        this.#answered(text(readAck(payload).token), address, now)
      }
      return true
    })
  }

  #answered(token: string, address: string, now: number): void {
    const ping = this.#open.get(token)
    if (ping?.to !== address) return
    this.#open.delete(token)
    const times = this.#times.get(address) ?? []
    times.push(now - ping.atMs)
    this.#times.set(address, times)
  }
}

function text({ high, low }: Token): string {
  return `${high} ${low}`
}
