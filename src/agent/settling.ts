import { HearsayError } from '../errors.ts'

/** Those who wait for something to settle. */
export class Settling {
  readonly #waiting = new Set<{ resolve(): void; reject(reason: unknown): void }>()

  /** Rejects with the reason of the signal. */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiter)
        reject(signal?.reason)
      }
      const over = (): void => signal?.removeEventListener('abort', onAbort)
      const waiter = {
        resolve: () => {
          over()
          resolve()
        },
        reject: (reason: unknown) => {
          over()
          reject(reason)
        },
      }
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  settled(): void {
    for (const waiter of this.#waiting) waiter.resolve()
    this.#waiting.clear()
  }

  stopped(): void {
    for (const waiter of this.#waiting) waiter.reject(stoppedError())
    this.#waiting.clear()
  }
}

export function stoppedError(): HearsayError {
  return new HearsayError('ERR_CLOSED', 'this reconciler has been stopped: make a new one')
}
