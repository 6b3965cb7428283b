import type { Changes, Kernel } from '../../src/agent/kernel.ts'
import { type OverlayRow, overlayRules } from '../../src/agent/overlay-rows.ts'
import { OverlayTables } from './overlay-tables.ts'

export interface KernelFaults {
  /** So many dumps fail, as of a device that is gone and cannot be made again. */
  failDumps: number
  /** So many batches stop half-way, with an error. */
  breakApplies: number
  /** So many batches are applied without one of their lines, which is reported. */
  refuseLines: number
  /** So many batches report success and do nothing. */
  ignoreApplies: number
  /** So many batches are applied wholly, with an error. */
  blameApplies: number
  /** So many reports of drift are lost. */
  loseReports: number
  /** So many reports of drift come a second late. */
  delayReports: number
}

const NO_FAULTS: KernelFaults = {
  failDumps: 0,
  breakApplies: 0,
  refuseLines: 0,
  ignoreApplies: 0,
  blameApplies: 0,
  loseReports: 0,
  delayReports: 0,
}
const LATE_MS = 1_000

/** Where the time comes from that it takes. */
export interface KernelTime {
  schedule(delayMs: number, run: () => void): void
}

/** A kernel that takes its time, and breaks in the ways in which the real one breaks. It outlives its agents. */
export class FaultyKernel implements Kernel<OverlayRow> {
  readonly slotOf = overlayRules.slotOf
  readonly same = overlayRules.same
  readonly tables: OverlayTables = new OverlayTables()
  readonly faults: KernelFaults = { ...NO_FAULTS }
  readonly counts = { dumps: 0, applies: 0, reports: 0 }
  readonly #time: KernelTime
  readonly #random: () => number
  readonly #watchers = new Set<() => void>()
  #deviceThere = true

  constructor(time: KernelTime, random: () => number) {
    this.#time = time
    this.#random = random
    this.tables.onChange = () => this.#report()
  }

  /** The device goes, with all its rows. The next dump makes a new one, as `ensure` does. */
  loseDevice(): void {
    this.#deviceThere = false
    this.tables.clear()
  }

  heal(): void {
    Object.assign(this.faults, NO_FAULTS)
    this.tables.age()
  }

  /** Of two commands, one a little later than the other: no snapshot. */
  async dump(): Promise<OverlayRow[]> {
    this.counts.dumps++
    await this.#delay()
    if (this.#strikes('failDumps')) throw new Error('Cannot find device')
    this.#deviceThere = true
    const forwarding = this.tables.rows().filter(({ table }) => table !== 'neighbour')
    await this.#delay()
    return [...forwarding, ...this.tables.rows().filter(({ table }) => table === 'neighbour')]
  }

  async apply({ put, remove }: Changes<OverlayRow>): Promise<void> {
    this.counts.applies++
    const lines = [
      ...remove.map((row) => () => this.tables.delete(row)),
      ...put.map((row) => () => this.tables.replace(row)),
    ]
    const ignored = this.#strikes('ignoreApplies')
    const refused = this.#strikes('refuseLines') ? this.#random() % lines.length : -1
    const end = this.#strikes('breakApplies') ? this.#random() % lines.length : lines.length
    let failure = this.#strikes('blameApplies') || end < lines.length ? 'Interrupted' : undefined
    const pauseAt = this.#random() % lines.length
    for (const [index, line] of lines.slice(0, end).entries()) {
      if (index === pauseAt) await this.#delay()
      if (!this.#deviceThere) failure = 'Cannot find device'
      else if (index === refused) failure = 'Invalid argument'
      else if (!ignored) {
        try {
          line()
        } catch (error) {
          failure = (error as Error).message
        }
      }
    }
    await this.#delay()
    if (failure !== undefined) throw new Error(failure)
  }

  async remove(): Promise<void> {
    this.tables.clear()
  }

  watch(onDrift: () => void): () => void {
    this.#watchers.add(onDrift)
    return () => this.#watchers.delete(onDrift)
  }

  #report(): void {
    if (this.#watchers.size === 0 || this.#strikes('loseReports')) return
    this.counts.reports++
    const delayMs = this.#strikes('delayReports') ? LATE_MS : this.#random() % 10
    this.#time.schedule(delayMs, () => {
      for (const onDrift of this.#watchers) onDrift()
    })
  }

  #strikes(fault: keyof KernelFaults): boolean {
    if (this.faults[fault] === 0) return false
    this.faults[fault]--
    return true
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => this.#time.schedule(this.#random() % 12, resolve))
  }
}
