import { setTimeout } from 'node:timers/promises'

/** Waits, or until the signal aborts; never rejects. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(durationMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
