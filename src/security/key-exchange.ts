import type { Reader } from '../wire/bytes.ts'
import { Writer } from '../wire/bytes.ts'
import { compareKeys, type KeyLattice, MAX_RING_KEYS, NO_ROTATION, type RingKey } from './key-lattice.ts'
import { KEY_BYTES } from './keyring.ts'

/** A lattice with the bytes of its keys, by id. It travels in sealed streams and nowhere else. */
export interface KeyNews {
  readonly lattice: KeyLattice
  readonly bytes: ReadonlyMap<number, Uint8Array>
}

export interface KeyExchangeHost {
  /** What this node holds, one frame. */
  tell(): Uint8Array
  /** False for news that cannot be. */
  learn(news: KeyNews): boolean
}

const INSTALL = 1
const USE = 2

/** Both sides send all that they hold, which is little; it merges. */
export class KeyExchange {
  readonly #host: KeyExchangeHost
  #sent = false
  #heard = false
  /** Keys are no state that others would have to hear of by more sessions. */
  readonly movedBytes = 0

  constructor(host: KeyExchangeHost) {
    this.#host = host
  }

  get done(): boolean {
    return this.#sent && this.#heard
  }

  receive(frame: Reader): boolean {
    const news = this.#heard ? undefined : readKeys(frame)
    this.#heard = true
    return news !== undefined && this.#host.learn(news)
  }

  next(): Uint8Array | undefined {
    if (this.#sent) return undefined
    this.#sent = true
    return this.#host.tell()
  }

  close(): void {}
}

/** At most, of the floor and of each key: a generation, an id, a count or stage. */
const ORDER_BYTES = 16

/** Leaves no copies behind: whoever wipes the frame has wiped it all. */
export function writeKeys({ lattice, bytes }: KeyNews): Uint8Array {
  const { floor, keys } = lattice
  const writer = new Writer(ORDER_BYTES + keys.length * (ORDER_BYTES + KEY_BYTES))
  writer.varint(floor.generation).u32(floor.id).u8(keys.length)
  for (const { generation, id, stage } of keys) {
    writer
      .varint(generation)
      .u32(id)
      .u8(stage === 'use' ? USE : INSTALL)
      .raw(bytes.get(id)!)
  }
  return writer.view()
}

/** Total: nothing for what is ill-formed, and nothing is left of it. Whether bytes belong to an id is for the keyring to see. */
export function readKeys(reader: Reader): KeyNews | undefined {
  const floor = { generation: reader.varint(), id: reader.u32() }
  const count = reader.u8()
  if (count > MAX_RING_KEYS + 1) return undefined
  const keys: RingKey[] = []
  const bytes = new Map<number, Uint8Array>()
  const refuse = (): undefined => {
    for (const key of bytes.values()) key.fill(0)
  }
  for (let i = 0; i < count && !reader.failed; i++) {
    const key = { generation: reader.varint(), id: reader.u32() }
    const stage = reader.u8()
    if (stage !== INSTALL && stage !== USE) return refuse()
    const ascends = compareKeys(key, keys.at(-1) ?? NO_ROTATION.floor) > 0 && compareKeys(key, floor) >= 0
    if (key.generation === 0 || !ascends) return refuse()
    keys.push({ ...key, stage: stage === USE ? 'use' : 'install' })
    bytes.set(key.id, reader.raw(KEY_BYTES).slice())
  }
  return reader.failed ? refuse() : { lattice: { floor, keys }, bytes }
}
