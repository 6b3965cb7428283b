import { setImmediate as turn } from 'node:timers/promises'

/**
 * Resolves when handles that were closed before are gone. libuv lets go of them at the end of a turn of the event loop,
 * after the callbacks of `setImmediate`; Node says `close` sooner.
 */
export async function handlesClosed(): Promise<void> {
  await turn()
  await turn()
}
