import { toTick, type VirtualWorld } from './virtual-world.ts'

/** How far virtual time goes at most before promises of the user's code may go on. */
const QUANTUM_MS = 1
/** Turns that microtasks get after a quantum in which the runtime has settled no promise. */
const MICROTASK_TURNS = 16

interface Waiter {
  readonly deadline: number
  done(): boolean
  finish(inTime: boolean): void
  fail(error: unknown): void
}

/**
 * Lets time pass for whoever waits, and their promises make progress at fixed points of virtual time: after every
 * promise that the runtime settles, and whenever somebody's time is over, all microtasks run, and after every other virtual millisecond in which something happened so many
 * turns of them that a longer chain of promises is rare. So the order of everything depends on virtual time only, as long as
 * nothing awaits the real world.
 */
export class Driver {
  readonly #world: VirtualWorld
  #waiters: Waiter[] = []
  #running = false

  constructor(world: VirtualWorld) {
    this.#world = world
  }

  /** Lets so much virtual time pass. */
  async advance(ms: number): Promise<void> {
    await this.until(() => false, ms)
  }

  /** Lets time pass until the predicate holds, at most `timeoutMs`; says whether it did. */
  until(predicate: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((finish, fail) => {
      this.#waiters.push({ deadline: toTick(this.#world.now + timeoutMs), done: predicate, finish, fail })
      if (!this.#running) void this.#run()
    })
  }

  /** Lets time pass until the promise settles; rejects if it is `abandoned` before, and never will. */
  async settled<T>(promise: Promise<T>, abandoned: () => boolean = () => false): Promise<T> {
    let over = false
    const mark = (): void => {
      over = true
    }
    promise.then(mark, mark)
    await this.until(() => over || abandoned(), Number.POSITIVE_INFINITY)
    if (!over) throw new Error('the node was stopped before it had started')
    return promise
  }

  async #run(): Promise<void> {
    this.#running = true
    let timeIsOver = false
    let quiet = false
    while (this.#waiters.length > 0) {
      // A turn of the event loop costs as much as a packet.
      if (quiet) for (let turn = 0; turn < MICROTASK_TURNS; turn++) await undefined
      else await allMicrotasks()
      // Those who are done go on before time does, and may wait anew.
      const released = this.#release(timeIsOver)
      timeIsOver = released ? false : this.#step()
      // Whoever waited until now is to find that all promises have got as far as they can.
      const due = timeIsOver && this.#waiters.some(({ deadline }) => deadline <= this.#world.now)
      quiet = !released && !due && !this.#world.yieldWanted
    }
    this.#running = false
  }

  /** Lets go of those who are done, and whose time is over if everything up to now has happened; says whether there were any. */
  #release(timeIsOver: boolean): boolean {
    const latest = timeIsOver ? this.#world.now : Number.NEGATIVE_INFINITY
    const waiters = this.#waiters
    this.#waiters = []
    let released = false
    for (const waiter of waiters) {
      try {
        const done = waiter.done()
        if (!done && waiter.deadline > latest) {
          this.#waiters.push(waiter)
          continue
        }
        waiter.finish(done)
      } catch (error) {
        waiter.fail(error)
      }
      released = true
    }
    return released
  }

  /** Moves time on by a quantum at most; says whether everything up to then has happened. */
  #step(): boolean {
    const world = this.#world
    let deadline = Number.POSITIVE_INFINITY
    for (const waiter of this.#waiters) deadline = Math.min(deadline, waiter.deadline)
    const limit = Math.min(deadline, Math.max(world.now, world.nextEventTime()) + QUANTUM_MS)
    if (limit < Number.POSITIVE_INFINITY) return world.runUntil(limit)
    const error = new Error('nothing will ever happen in this world any more, and somebody waits for it')
    for (const waiter of this.#waiters) waiter.fail(error)
    this.#waiters = []
    return true
  }
}

/** A turn of the real event loop: when it comes, no microtask is left. */
function allMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else macrotask(resolve)
  })
}

function macrotask(callback: () => void): void {
  const { port1, port2 } = new MessageChannel()
  port1.addEventListener('message', () => {
    port1.close()
    callback()
  })
  port1.start()
  port2.postMessage(undefined)
}
