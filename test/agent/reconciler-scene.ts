import type { Changes } from '../../src/agent/kernel.ts'
import { MemoryKernel } from '../../src/agent/memory-kernel.ts'
import { Reconciler, type ReconcilerOptions } from '../../src/agent/reconciler.ts'
import type { Pass } from '../../src/agent/reconciler-status.ts'
import { VirtualTime } from './virtual-time.ts'

export interface Row {
  readonly slot: string
  readonly value: number
}

export function row(slot: string, value = 1): Row {
  return { slot, value }
}

export function rows(count: number, value = 1): Row[] {
  return Array.from({ length: count }, (_, index) => row(`r${index}`, value))
}

/** A kernel that takes its time, and refuses what it is told to refuse. */
export class SlowKernel extends MemoryKernel<Row> {
  dumpMs = 20
  applyMs = 5
  /** Slots that it does not touch, with or without saying so. */
  readonly refused: Set<string> = new Set()
  silent = false
  gone = false
  readonly applied: Changes<Row>[] = []
  /** When each dump began. */
  readonly dumpedAt: number[] = []
  readonly #time: VirtualTime

  constructor(time: VirtualTime) {
    super({ slotOf: ({ slot }) => slot, same: (a, b) => a.slot === b.slot && a.value === b.value })
    this.#time = time
  }

  override async dump(): Promise<Row[]> {
    this.dumpedAt.push(this.#time.now)
    await this.#time.sleep(this.dumpMs)
    if (this.gone) throw new Error('device is gone')
    return super.dump()
  }

  override async apply(changes: Changes<Row>): Promise<void> {
    this.applied.push(changes)
    await this.#time.sleep(this.applyMs)
    if (this.gone) throw new Error('device is gone')
    const take = (rows: readonly Row[]): Row[] => rows.filter(({ slot }) => !this.refused.has(slot))
    const [put, remove] = [take(changes.put), take(changes.remove)]
    await super.apply({ put, remove })
    const isWhole = put.length === changes.put.length && remove.length === changes.remove.length
    if (!isWhole && !this.silent) throw new Error('some lines failed')
  }

  value(slot: string): number | undefined {
    return this.rows().find((row) => row.slot === slot)?.value
  }
}

/** A reconciler in virtual time, and what it is to bring about. */
export class Scene {
  readonly time: VirtualTime = new VirtualTime()
  readonly kernel: SlowKernel = new SlowKernel(this.time)
  readonly passes: Pass[] = []
  readonly reconciler: Reconciler<Row>
  desired: readonly Row[] | undefined = []

  constructor(options: Partial<ReconcilerOptions<Row>> = {}) {
    this.reconciler = new Reconciler({
      kernel: this.kernel,
      desired: () => this.desired,
      onPass: (pass) => this.passes.push(pass),
      clock: { ...this.time.clock(1), randomUint32: () => 0 },
      ...options,
    })
  }

  /** Wishes and lets time pass. */
  async want(rows: readonly Row[] | undefined, ms = 0): Promise<void> {
    this.desired = rows
    this.reconciler.trigger()
    await this.time.pass(ms)
  }

  /** Wishes and waits until it is so. */
  async settle(rows: readonly Row[]): Promise<void> {
    await this.want(rows)
    while (!this.reconciler.settled) await this.time.pass(10)
    this.kernel.applied.length = 0
    this.kernel.dumpedAt.length = 0
    this.passes.length = 0
  }

  get dumps(): number {
    return this.kernel.dumpedAt.length
  }
}
