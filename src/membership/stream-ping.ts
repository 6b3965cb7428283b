import type { Runtime } from '../runtime/runtime.ts'
import type { FrameHandlers, FrameStream } from '../security/frames.ts'
import { Reader, Writer } from '../wire/bytes.ts'

/** The first byte of a stream says what it is for. */
export const STREAM_PING = 2

const ANSWER: Uint8Array = Uint8Array.of(1)

/**
 * Pings over a stream, for where packets are lost and streams get through. Calls back at most once, and only if the very
 * member and epoch answered in time.
 */
export function pingByStream(
  runtime: Runtime,
  connect: (handlers: FrameHandlers) => FrameStream,
  target: { readonly id: number; readonly nonce: number },
  timeoutMs: number,
  onAck: () => void,
): void {
  let answered = false
  const stream = connect({
    onOpen: () => stream.send(new Writer(9).u8(STREAM_PING).u32(target.id).u32(target.nonce).copy()),
    onFrame: () => {
      if (answered) return
      answered = true
      onAck()
      stream.end()
    },
    onDrain() {},
    onClose: () => timeout.cancel(),
  })
  const timeout = runtime.setTimer(timeoutMs, () => stream.destroy())
}

/** Answers the opening frame of such a stream. */
export function answerByStream(
  stream: FrameStream,
  opening: Uint8Array,
  isTarget: (id: number, nonce: number) => boolean,
): FrameHandlers {
  const reader = new Reader(opening, 1)
  const id = reader.u32()
  const nonce = reader.u32()
  if (!reader.failed && isTarget(id, nonce)) stream.send(ANSWER)
  stream.end()
  return { onOpen() {}, onFrame() {}, onDrain() {}, onClose() {} }
}
