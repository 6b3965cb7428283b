import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { HearsayError } from '../../src/index.ts'
import { ApiError } from './api-error.ts'
import { claimSocket } from './claim-socket.ts'

const MAX_BODY_BYTES = 64 * 1024
const MAX_HEADER_BYTES = 8 * 1024
const MAX_CONNECTIONS = 64
const REQUEST_TIMEOUT_MS = 10_000

export interface JsonRequest {
  readonly method: string
  /** The path, split at its slashes and unescaped. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown
}

/** Resolves with what becomes the JSON of the answer. An `ApiError` becomes the answer it describes. */
export type JsonHandler = (request: JsonRequest) => Promise<unknown>

/**
 * HTTP with JSON on a Unix socket that only its owner may open. Whatever comes in is bounded, and ends in
 * an answer or a closed connection, never in an exception.
 */
export class JsonServer {
  readonly #server: Server

  /**
   * Rejects with an `ApiError` where another process listens, and with the system's error where nobody can.
   */
  static async listen(path: string, handler: JsonHandler): Promise<JsonServer> {
    const server = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS, keepAlive: false },
      (request, response) => void answer(request, response, handler),
    )
    server.maxConnections = MAX_CONNECTIONS
    server.on('clientError', (_, socket) => socket.destroy())
    await claimSocket(server, path)
    return new JsonServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
  }

  /** Takes no more requests, and resolves once the running ones are answered and the socket is removed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeIdleConnections()
    })
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handler: JsonHandler,
): Promise<void> {
  // A connection that breaks has nobody left to tell.
  request.on('error', () => {})
  response.on('error', () => {})
  try {
    send(response, 200, await handler(await parse(request)))
  } catch (error) {
    const { status, code, message } = asApiError(error)
    send(response, status, { code, message })
  }
}

async function parse(request: IncomingMessage): Promise<JsonRequest> {
  const text = await readBody(request)
  try {
    const url = new URL(request.url ?? '/', 'http://agent')
    return {
      method: request.method ?? 'GET',
      path: url.pathname
        .split('/')
        .filter((part) => part !== '')
        .map(decodeURIComponent),
      query: url.searchParams,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    }
  } catch (cause) {
    throw new ApiError(400, 'ERR_REQUEST_INVALID', 'the path is not well-formed, or the body is not JSON', {
      cause,
    })
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) {
      throw new ApiError(413, 'ERR_BODY_TOO_LARGE', `the body has more than ${MAX_BODY_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = `${JSON.stringify(body ?? {})}\n`
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  })
  response.end(text)
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof HearsayError) return new ApiError(409, error.code, error.message, { cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new ApiError(500, 'ERR_INTERNAL', message, { cause: error })
}
