/** Leaving through process.exit runs the exit handlers, and those remove everything, whatever the reason. */
export function endOnSignals(): void {
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      console.log(`\n${signal}: removing everything`)
      process.exit(exitCode)
    })
  }
}
