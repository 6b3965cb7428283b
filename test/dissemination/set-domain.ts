import type { Digest, SyncDomain, SyncExchange, SyncRole } from '../../src/dissemination/sync-session.ts'
import { type Reader, Writer } from '../../src/wire/bytes.ts'
import { hashString } from '../../src/wire/mix.ts'

const ITEM = 1
const END = 2

/** The simplest thing that can be brought to agreement: a set of strings that grows. */
export class SetDomain implements SyncDomain {
  readonly name: string
  readonly mismatchIntervalMs: number
  offered = false
  readonly items: Set<string>
  /** Whether an exchange falls asleep in between, as if it had to look for the next item. */
  sleepy = true
  opened = 0
  closed = 0

  constructor(name: string, items: Iterable<string>, mismatchIntervalMs = 5_000) {
    this.name = name
    this.mismatchIntervalMs = mismatchIntervalMs
    this.items = new Set(items)
  }

  digest(): Digest {
    const digest = { high: 0, low: 0 }
    for (const item of this.items) {
      digest.high = (digest.high + hashString(item, 1)) >>> 0
      digest.low = (digest.low + hashString(item, 2)) >>> 0
    }
    return digest
  }

  open(_role: SyncRole, wake: () => void): SyncExchange {
    this.opened++
    return new SetExchange(this, wake)
  }
}

/** Sends its items, each in a frame of its own. */
class SetExchange implements SyncExchange {
  readonly #domain: SetDomain
  readonly #toSend: string[]
  readonly #wake: () => void
  movedBytes = 0
  #sentEnd = false
  #heardEnd = false
  #asleep = true

  constructor(domain: SetDomain, wake: () => void) {
    this.#domain = domain
    this.#toSend = [...domain.items]
    this.#wake = wake
  }

  get done(): boolean {
    return this.#sentEnd && this.#heardEnd
  }

  next(): Uint8Array | undefined {
    if (this.#sentEnd) return undefined
    if (this.#asleep && this.#domain.sleepy) {
      this.#asleep = false
      this.#wake()
      return undefined
    }
    this.#asleep = true
    const item = this.#toSend.shift()
    this.movedBytes += item?.length ?? 0
    if (item !== undefined) return new Writer().u8(ITEM).string(item).copy()
    this.#sentEnd = true
    return Uint8Array.of(END)
  }

  receive(frame: Reader): boolean {
    const type = frame.u8()
    if (this.#heardEnd) return false
    if (type === END) {
      this.#heardEnd = true
      return true
    }
    const item = frame.string(255)
    if (type !== ITEM || frame.failed) return false
    this.movedBytes += item.length
    this.#domain.items.add(item)
    return true
  }

  close(): void {
    this.#domain.closed++
  }
}
