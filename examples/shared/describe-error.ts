/** An error and what caused it, in one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? describeError(error.cause) : ''
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}
