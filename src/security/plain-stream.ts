import { Reader, Writer } from '../wire/bytes.ts'
import { hashString } from '../wire/mix.ts'
import type { Initiation, RecordCodec, StreamProtocol } from './framed-stream.ts'
import { type StreamFault, StreamKind } from './frames.ts'
import { WIRE_VERSION } from './packet-codec.ts'

/** Version, kind, hash of the label (4). */
const OPENING_BYTES = 6

/** The first byte of a record. */
const FRAME_RECORD = 0
const FINAL_RECORD = 1

/** Streams of a cluster without keys: each end names its version and label, and nothing else is checked. */
export class PlainStreams implements StreamProtocol {
  readonly recordOverhead = 1
  readonly #labelHash: number

  constructor(label: string) {
    this.#labelHash = hashString(label)
  }

  renewNonce(): void {
    // There is no nonce in the clear.
  }

  initiate(): Initiation {
    return {
      hello: this.#opening(StreamKind.plainHello),
      hasAlternative: false,
      complete: (reply) => this.#check(reply, StreamKind.plainReply) ?? PLAIN_RECORDS,
      abandon() {},
    }
  }

  answer(hello: Uint8Array): { reply: Uint8Array; records: RecordCodec } | StreamFault {
    const fault = this.#check(hello, StreamKind.plainHello)
    return fault ?? { reply: this.#opening(StreamKind.plainReply), records: PLAIN_RECORDS }
  }

  #opening(kind: number): Uint8Array {
    return new Writer(OPENING_BYTES).u8(WIRE_VERSION).u8(kind).u32(this.#labelHash).copy()
  }

  #check(opening: Uint8Array, kind: number): StreamFault | undefined {
    if (opening.length < 2) return 'malformed'
    if (opening[0] !== WIRE_VERSION) return 'version'
    if (opening[1] === StreamKind.sealedHello) return 'sealed'
    if (opening[1] !== kind || opening.length !== OPENING_BYTES) return 'malformed'
    const labelHash = new Reader(opening, 2).u32()
    return labelHash === this.#labelHash ? undefined : 'label'
  }
}

const PLAIN_RECORDS: RecordCodec = {
  sealed: false,
  seal(frame, final) {
    const record = new Uint8Array(1 + frame.length)
    record[0] = final ? FINAL_RECORD : FRAME_RECORD
    record.set(frame, 1)
    return record
  },
  open(record) {
    const mark = record[0]
    if (mark !== FRAME_RECORD && mark !== FINAL_RECORD) return 'malformed'
    // A copy by construction, since `slice` of a Buffer would be a view.
    return { frame: new Uint8Array(record.subarray(1)), final: mark === FINAL_RECORD }
  },
  dispose() {},
}
