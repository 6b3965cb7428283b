import type { Runtime } from '../runtime/runtime.ts'

/** What an agent needs of time: a part of `Runtime`, so that the simulator's can stand in. */
export type Clock = Pick<Runtime, 'now' | 'setTimer'>

/** The monotonic clock and the timers of this process. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}
