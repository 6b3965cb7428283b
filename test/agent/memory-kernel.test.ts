import { describe, expect, it } from 'vitest'
import { MemoryKernel } from '../../src/agent/memory-kernel.ts'

interface Row {
  readonly slot: string
  readonly value: number
}

const A = { slot: 'a', value: 1 }
const B = { slot: 'b', value: 1 }

function kernel(): MemoryKernel<Row> {
  return new MemoryKernel({ slotOf: ({ slot }) => slot, same: (a, b) => a.value === b.value })
}

describe('a kernel in memory', () => {
  it('holds one row in a slot', async () => {
    const memory = kernel()
    await memory.apply({ put: [A, B], remove: [] })
    await memory.apply({ put: [{ ...A, value: 2 }], remove: [B] })
    expect(await memory.dump()).toEqual([{ ...A, value: 2 }])
    await memory.remove()
    expect(memory.rows()).toEqual([])
  })

  it('tells those who watch of what others change, later, and of its own agent not', async () => {
    const memory = kernel()
    let told = 0
    const stop = memory.watch(() => told++)
    await memory.apply({ put: [A], remove: [] })
    expect(told).toBe(0)
    memory.tamper({ put: [B], remove: [A] })
    expect(told).toBe(0)
    await Promise.resolve()
    expect(told).toBe(1)
    expect(memory.rows()).toEqual([B])
    memory.reportDrift()
    stop()
    await Promise.resolve()
    expect(told).toBe(1)
  })
})
