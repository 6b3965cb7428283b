/**
 * Runs an agent until SIGTERM, SIGINT or, if asked for, the end of standard input. It tells its operator
 * one JSON object a line.
 */
export async function runUntilTold<Event>(
  run: (signal: AbortSignal, log: (event: Event) => void) => Promise<void>,
  { stopOnEof }: { readonly stopOnEof: boolean },
): Promise<void> {
  // Whoever reads the log may go away first; the kernel is tidied up all the same.
  process.stdout.on('error', () => {})
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGTERM', stop).once('SIGINT', stop)
  if (stopOnEof) process.stdin.once('end', stop).resume()
  await run(stopping.signal, (event) => process.stdout.write(`${JSON.stringify(event)}\n`)).catch(
    (error: unknown) => {
      // No more than the echo of being told to stop while still starting.
      if (error !== stopping.signal.reason) throw error
    },
  )
}

/** Ends the process with the exit code of a program, and in words if it failed. */
export async function exitAfter(name: string, main: () => Promise<void>): Promise<never> {
  try {
    await main()
    process.exit(0)
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}
