import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Observer, VIEW } from '../../sim/observer.ts'
import { Progress } from '../../sim/progress.ts'
import type { Context } from '../../sim/scenario.ts'
import { Simulation } from '../../sim/simulation.ts'

/** A progress whose real and virtual clocks stand where the test puts them. */
class Watched {
  readonly written: string[] = []
  readonly progress: Progress
  readonly observer: Observer
  readonly #sim = new Simulation()
  wallMs = 0

  constructor(terminal: boolean, expectedMs: number | undefined) {
    this.observer = new Observer(this.#sim, 4)
    const screen = { isTTY: terminal, columns: 100, write: (text: string) => this.written.push(text) }
    this.progress = new Progress(screen, () => this.wallMs)
    const context = { sim: this.#sim, observer: this.observer } as unknown as Context
    this.progress.start(context, expectedMs)
    this.progress.begin('a step')
  }

  at(virtualMs: number, wallMs: number): this {
    this.#sim.world.now = virtualMs
    this.wallMs = wallMs
    return this
  }
}

describe('Progress', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('shows on a terminal one line: bar, virtual time, speed, who lives and who is held failed', () => {
    const watched = new Watched(true, 60_000).at(30_000, 1_500)
    const { observer } = watched
    observer.watch('a', { self: { epoch: {} }, members: () => [], on: () => {} } as never)
    for (const listener of observer.listeners) {
      listener.onView(0, 1, VIEW.alive, VIEW.failed)
      listener.onView(2, 1, VIEW.alive, VIEW.failed)
      listener.onView(2, 1, VIEW.failed, VIEW.alive)
      listener.onView(0, 3, VIEW.alive, VIEW.failed)
      listener.onView(0, 3, VIEW.failed, VIEW.alive)
    }
    vi.advanceTimersByTime(250)
    expect(watched.written).toEqual([
      '\r\u001b[K[████████████············] 50 %  30.0 virtual s in 1.5 s, 20.0x, 1 live, 1 failed  a step',
    ])
    watched.progress.end()
    expect(watched.written.at(-1)).toBe('\r\u001b[K')
  })

  it('never fills the bar before the end has come, and never is wider than the terminal', () => {
    const watched = new Watched(true, 60_000).at(600_000, 1_000)
    expect(watched.progress.line()).toContain('] 99 %')
    watched.progress.begin('a step with a name that does not fit in the line by any means, whatever one does')
    expect(watched.progress.line()).toHaveLength(99)
    watched.progress.end()
  })

  it('moves although it is not known how long the run lasts', () => {
    const { progress } = new Watched(true, undefined)
    expect(new Set([progress.line(), progress.line(), progress.line()]).size).toBe(3)
    progress.end()
  })

  it('writes plain lines where there is no terminal, and few of them', () => {
    const watched = new Watched(false, 60_000).at(30_000, 1_500)
    vi.advanceTimersByTime(25_000)
    watched.progress.end()
    vi.advanceTimersByTime(25_000)
    const line = 'a step: 30.0 virtual s in 1.5 s, 20.0x, 0 live, 0 failed\n'
    expect(watched.written).toEqual([line, line])
  })

  it('knows how long each step took', () => {
    const watched = new Watched(false, undefined).at(1_000, 10)
    watched.progress.begin('another')
    watched.at(4_000, 30)
    watched.progress.end()
    expect(watched.progress.steps()).toEqual([
      { name: 'a step', virtualMs: 1_000, wallMs: 10 },
      { name: 'another', virtualMs: 3_000, wallMs: 20 },
    ])
  })
})
