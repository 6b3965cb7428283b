import { type ObserverListener, VIEW } from './observer.ts'
import type { Report } from './report-json.ts'
import type { Context } from './scenario.ts'
import type { CommonName } from './scenarios/common.ts'
import type { AnyScenario } from './scenarios/index.ts'

/** What progress is written to: standard output, or what a test has instead. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const REDRAW_MS = 200
/** Between plain lines, where there is no terminal. */
const PLAIN_MS = 10_000
const BAR_CELLS = 24
/** From the last start until the measured part begins, mostly. */
const SETTLING_MS = 11_000
const CLEAR_LINE = '\r\u001b[K'

/**
 * Knows which step of the story is being told and how long each took, and shows it: as one line that moves on a terminal, else as a
 * plain line every ten seconds.
 */
export class Progress implements ObserverListener {
  readonly #screen: Screen
  readonly #began: number
  readonly #wallClock: () => number
  readonly #marks: { name: string; virtualMs: number; wallMs: number }[] = []
  readonly #failedAt: Map<number, number> = new Map()
  #context: Context | undefined
  #expectedMs: number | undefined
  #ticking: NodeJS.Timeout | undefined
  #frames = 0

  constructor(screen: Screen, wallClock: () => number = () => performance.now()) {
    this.#screen = screen
    this.#wallClock = wallClock
    this.#began = wallClock()
  }

  /** The run begins. It is expected to last so long, in virtual time; the bar only swings to and fro if that is not known. */
  start(context: Context, expectedMs: number | undefined): void {
    this.#context = context
    this.#expectedMs = expectedMs
    context.observer.listeners.push(this)
    this.#ticking = this.#screen.isTTY
      ? setInterval(() => this.#screen.write(`${CLEAR_LINE}${this.line()}`), REDRAW_MS)
      : setInterval(() => this.#screen.write(`${this.#step()}: ${this.#numbers()}\n`), PLAIN_MS)
  }

  /** The next step of the story. */
  begin(name: string): void {
    this.#marks.push({ name, virtualMs: this.#virtualMs(), wallMs: this.wallMs() })
  }

  end(): void {
    clearInterval(this.#ticking)
    if (this.#screen.isTTY) this.#screen.write(CLEAR_LINE)
  }

  wallMs(): number {
    return this.#wallClock() - this.#began
  }

  steps(): Report['steps'] {
    const end = { virtualMs: this.#virtualMs(), wallMs: this.wallMs() }
    return this.#marks.map(({ name, virtualMs, wallMs }, i) => {
      const next = this.#marks[i + 1] ?? end
      return { name, virtualMs: next.virtualMs - virtualMs, wallMs: next.wallMs - wallMs }
    })
  }

  /** The bar and what stands next to it, as wide as the terminal at most. */
  line(): string {
    return `${this.#bar()}  ${this.#numbers()}  ${this.#step()}`.slice(0, (this.#screen.columns ?? 120) - 1)
  }

  onView(_observer: number, subject: number, before: number, after: number): void {
    const change = Number(after === VIEW.failed) - Number(before === VIEW.failed)
    if (change === 0) return
    const observers = (this.#failedAt.get(subject) ?? 0) + change
    if (observers > 0) this.#failedAt.set(subject, observers)
    else this.#failedAt.delete(subject)
  }

  onNoticed(): void {}

  #bar(): string {
    if (this.#expectedMs === undefined) {
      const swing = this.#frames++ % (2 * BAR_CELLS - 2)
      const at = Math.min(swing, 2 * BAR_CELLS - 2 - swing)
      return `[${'·'.repeat(at)}█${'·'.repeat(BAR_CELLS - 1 - at)}]`
    }
    // What was expected is no promise: the end is full only when it has come.
    const share = Math.min(0.99, this.#virtualMs() / this.#expectedMs)
    const full = Math.floor(share * BAR_CELLS)
    return `[${'█'.repeat(full)}${'·'.repeat(BAR_CELLS - full)}] ${String(Math.floor(share * 100)).padStart(2)} %`
  }

  #numbers(): string {
    const virtualMs = this.#virtualMs()
    const live = this.#context?.observer.running.size ?? 0
    return (
      `${(virtualMs / 1000).toFixed(1)} virtual s in ${(this.wallMs() / 1000).toFixed(1)} s, ` +
      `${(virtualMs / this.wallMs()).toFixed(1)}x, ${live} live, ${this.#failedAt.size} failed`
    )
  }

  #step(): string {
    return this.#marks.at(-1)?.name ?? 'begin'
  }

  #virtualMs(): number {
    return this.#context?.sim.now ?? 0
  }
}

/** Starts, calm, and the measured part; undefined if the scenario does not say how long that is. */
export function expectedMs(context: Context<CommonName>, scenario: AnyScenario): number | undefined {
  const { nodes, minutes, set } = context
  const { durationMs }: Readonly<Record<string, number>> = set
  const measuredMs = minutes === undefined ? (scenario.lastsMs?.(set) ?? durationMs) : minutes * 60_000
  return measuredMs === undefined ? undefined : nodes * set.staggerMs + SETTLING_MS + measuredMs
}
