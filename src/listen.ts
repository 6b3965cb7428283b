import { KeyFile } from './key-file.ts'
import type { ResolvedOptions } from './options.ts'
import type { Runtime } from './runtime/runtime.ts'
import { SecureTransport, type SecureTransportHandlers } from './security/secure-transport.ts'

const STREAM_IDLE_MS = 15_000
const HANDSHAKE_TIMEOUT_MS = 5_000
/** Beyond the time of a sync, the longest use that there is of a stream: for saying what it is for. */
const STREAM_SLACK_MS = 5_000
/** More than a sync in its time carries; what it has brought by then stays, and the next one goes on. */
const MAX_STREAM_BYTES = 2 ** 30

/** The port of a node, and the file that its keys are from. */
export interface Listening {
  readonly transport: SecureTransport
  readonly keyFile: KeyFile | undefined
}

/** Opens the port of a node, with the keys of its options or file. What comes in before there are handlers is passed over. */
export async function listen(
  runtime: Runtime,
  options: ResolvedOptions,
  handlers: () => SecureTransportHandlers | undefined,
): Promise<Listening> {
  if (options.keyFile === undefined) {
    return { transport: await open(runtime, options, options.keys, handlers), keyFile: undefined }
  }
  const keyFile = await KeyFile.read(runtime, options.keyFile)
  return { transport: await keyFile.use((keys) => open(runtime, options, keys, handlers)), keyFile }
}

function open(
  runtime: Runtime,
  { bind, label, acceptPlaintext, maxInboundStreams, syncTimeoutMs }: ResolvedOptions,
  keys: ResolvedOptions['keys'],
  handlers: () => SecureTransportHandlers | undefined,
): Promise<SecureTransport> {
  return SecureTransport.start(
    runtime,
    {
      bind,
      label,
      keys,
      acceptPlaintext,
      maxInboundStreams,
      streamIdleMs: STREAM_IDLE_MS,
      streamLifetimeMs: syncTimeoutMs + STREAM_SLACK_MS,
      maxStreamBytes: MAX_STREAM_BYTES,
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
