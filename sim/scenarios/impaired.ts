import { isUp, type Observer, type ObserverListener, VIEW } from '../observer.ts'
import type { CommonContext } from './common.ts'

/** What one healthy node thinks of one impaired one. */
interface Pair {
  out: boolean
  sinceMs: number
}

/** Watches how nodes with which something is the matter look to all others, who are healthy. What is wrong about them is anomalous. */
export class ImpairedNodes implements ObserverListener {
  readonly #context: CommonContext
  readonly #observer: Observer
  readonly #impaired: ReadonlySet<number>
  readonly #declared = new Set<number>()
  /** By observer * hosts + subject, for observers who run. */
  readonly #pairs = new Map<number, Pair>()
  readonly #hosts: number
  #outMs = 0
  #inMs = 0
  #changes = 0
  #most = 0

  /** They are impaired from now on. */
  constructor(context: CommonContext, names: readonly string[]) {
    const { sim, observer } = context
    this.#context = context
    this.#observer = observer
    this.#hosts = sim.world.hosts.length
    this.#impaired = new Set(names.map((name) => sim.world.host(name).index))
    for (const name of names) observer.impair(name)
    for (const one of observer.running) {
      if (this.#impaired.has(one)) continue
      const { name } = sim.world.hosts[one]!
      for (const other of names) {
        const status = observer.view(name, other)
        const out = status !== 'alive' && status !== 'suspect'
        this.#pairs.set(this.#key(one, sim.world.host(other).index), { out, sinceMs: sim.now })
      }
    }
    this.#most = this.#pairs.size
    observer.listeners.push(this)
  }

  /** Puts what was seen so far into the report. */
  finish(): void {
    const pairs = [...this.#pairs.values()]
    for (const pair of pairs) this.#count(pair)
    this.#context.measured.impaired = {
      nodes: this.#impaired.size,
      declaredFailed: this.#declared.size,
      outOfView: share(this.#outMs, this.#outMs + this.#inMs),
      outOfViewAtEnd: share(pairs.filter(({ out }) => out).length, pairs.length),
      changes: share(this.#changes, this.#most),
    }
    this.#pairs.clear()
  }

  onView(observer: number, subject: number, _before: number, after: number): void {
    const key = this.#key(observer, subject)
    const pair = this.#pairs.get(key)
    if (pair === undefined) return
    if (!this.#observer.running.has(observer)) {
      this.#count(pair)
      this.#pairs.delete(key)
      return
    }
    if (after === VIEW.failed) this.#declared.add(subject)
    if (pair.out === !isUp(after)) return
    this.#count(pair)
    this.#changes++
    pair.out = !pair.out
  }

  onNoticed(): void {}

  /** Adds the time since a pair last changed. */
  #count(pair: Pair): void {
    const { now } = this.#context.sim
    if (pair.out) this.#outMs += now - pair.sinceMs
    else this.#inMs += now - pair.sinceMs
    pair.sinceMs = now
  }

  #key(observer: number, subject: number): number {
    return observer * this.#hosts + subject
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
