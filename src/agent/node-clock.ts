import type { Runtime } from '../runtime/runtime.ts'

/** What an agent needs of time and chance: a part of `Runtime`, so that the simulator's can stand in. */
export type Clock = Pick<Runtime, 'now' | 'setTimer' | 'randomUint32'>

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The monotonic clock and the timers of this process. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    // Fractions of a delay would be cut off, and one that is too long for a timer fires at once.
    const timer = setTimeout(callback, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS))
    return { cancel: () => clearTimeout(timer) }
  },
  randomUint32: () => Math.floor(Math.random() * 2 ** 32),
}
