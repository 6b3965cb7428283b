/**
 * Errors that a bound socket outlives: the network or the other side is at fault, or the host is short of something
 * for the moment. Everything else means that the port is broken.
 */
const PASSING = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'EAGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EINTR',
  'EMFILE',
  'EMSGSIZE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EPERM',
  'EPROTO',
  'ETIMEDOUT',
])

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

export function isPassing(error: unknown): boolean {
  return PASSING.has(errorCode(error) ?? '')
}
