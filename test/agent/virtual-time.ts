import type { Clock } from '../../src/agent/node-clock.ts'
import { randomNumbers, TestClock } from '../dissemination/test-clock.ts'

/** Virtual time in which promises keep up: whatever waits for nothing but each other is over before time goes on. */
export class VirtualTime extends TestClock {
  async pass(ms: number): Promise<void> {
    const until = this.now + ms
    await breath()
    while (this.nextAt <= until) {
      this.run(this.nextAt - this.now)
      await breath()
    }
    this.run(until - this.now)
  }

  clock(seed: number): Clock {
    const { now, setTimer } = this.outside(seed)
    return { now, setTimer, randomUint32: randomNumbers(seed) }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.schedule(ms, resolve))
  }
}

/** Until all promises that can be settled now are. */
function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
