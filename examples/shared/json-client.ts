import { request } from 'node:http'
import { ApiError } from './api-error.ts'

/** Applying an endpoint is fast; joining a network waits for its state. */
const DEFAULT_TIMEOUT_MS = 30_000

export interface JsonCallOptions {
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/**
 * One request to a `JsonServer`; resolves with the parsed answer. Rejects with the `ApiError` that the
 * server answered, with `ERR_NO_AGENT` where nobody listens, or with `ERR_NO_ANSWER`.
 */
export function callJson(
  socketPath: string,
  method: string,
  path: string,
  { body, signal, timeoutMs = DEFAULT_TIMEOUT_MS }: JsonCallOptions = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(signal?.aborted ? signal.reason : noAnswer(socketPath, cause))
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }
    const outgoing = request(
      { socketPath, method, path, headers, agent: false, ...(signal === undefined ? {} : { signal }) },
      (response) => {
        let received = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          received += chunk
        })
        response.on('error', fail)
        response.on('end', () => {
          try {
            resolve(readAnswer(response.statusCode ?? 500, received))
          } catch (error) {
            reject(error)
          }
        })
      },
    )
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', fail)
    outgoing.end(text)
  })
}

/** A path whose parts may contain anything. */
export function pathOf(...parts: readonly string[]): string {
  return `/${parts.map(encodeURIComponent).join('/')}`
}

function readAnswer(status: number, text: string): unknown {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (cause) {
    throw new ApiError(502, 'ERR_ANSWER_INVALID', 'the agent answered something else than JSON', { cause })
  }
  if (status < 400) return answer
  const { code, message } = (answer ?? {}) as { code?: unknown; message?: unknown }
  throw new ApiError(status, String(code ?? 'ERR_INTERNAL'), String(message ?? `HTTP status ${status}`))
}

function noAnswer(path: string, cause: Error): ApiError {
  const code = 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ApiError(503, 'ERR_NO_AGENT', `no agent listens on ${path} (${code}): is it running?`, {
      cause,
    })
  }
  return new ApiError(504, 'ERR_NO_ANSWER', `the agent on ${path} does not answer: ${cause.message}`, {
    cause,
  })
}
