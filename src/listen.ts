import type { ResolvedOptions } from './options.ts'
import type { Runtime } from './runtime/runtime.ts'
import { SecureTransport, type SecureTransportHandlers } from './security/secure-transport.ts'

const STREAM_IDLE_MS = 15_000
const HANDSHAKE_TIMEOUT_MS = 5_000

/** Opens the port of a node. What comes in before there are handlers is passed over. */
export function listen(
  runtime: Runtime,
  options: ResolvedOptions,
  handlers: () => SecureTransportHandlers | undefined,
): Promise<SecureTransport> {
  const { bind, label, keys, acceptPlaintext, maxInboundStreams } = options
  return SecureTransport.start(
    runtime,
    {
      bind,
      label,
      keys,
      acceptPlaintext,
      maxInboundStreams,
      streamIdleMs: STREAM_IDLE_MS,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    },
    {
      onPacket: (body, from, session) => handlers()?.onPacket(body, from, session),
      onStream: (stream) => handlers()?.onStream(stream),
      onFault: (cause) => handlers()?.onFault(cause),
      onDrop: (cause, from) => handlers()?.onDrop?.(cause, from),
    },
  )
}
