import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventQueue, QueuedEvent } from '../../sim/event-queue.ts'
import { Random } from '../../sim/random.ts'

class Labelled extends QueuedEvent {
  readonly label: number

  constructor(label: number) {
    super()
    this.label = label
  }

  fire(): void {}
}

function drain(queue: EventQueue): number[] {
  const labels: number[] = []
  for (let event = queue.popDue(Infinity); event !== undefined; event = queue.popDue(Infinity)) {
    labels.push((event as Labelled).label)
  }
  return labels
}

describe('EventQueue', () => {
  it('gives events by time, and at equal times in the order in which they were pushed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 }), (times) => {
        const queue = new EventQueue()
        times.forEach((time, label) => {
          queue.push(time, new Labelled(label))
        })
        const expected = times
          .map((time, label) => ({ time, label }))
          .sort((a, b) => a.time - b.time || a.label - b.label)
        expect(drain(queue)).toEqual(expected.map((event) => event.label))
      }),
    )
  })

  it('holds that order under pushes, pops and cancels in any mixture, compaction included', () => {
    const random = new Random(4)
    const queue = new EventQueue()
    let model: { time: number; event: Labelled }[] = []
    let now = 0
    let fired = 0
    for (let label = 0; label < 12_000; label++) {
      const event = new Labelled(label)
      const time = now + random.int(50)
      queue.push(time, event)
      model.push({ time, event })
      if (random.chance(0.6)) {
        const [unlucky] = model.splice(random.int(model.length), 1)
        queue.cancel(unlucky!.event)
      }
      if (random.chance(0.1) && model.length > 0) {
        now = Math.min(...model.map((entry) => entry.time))
        expect(queue.nextTime()).toBe(now)
        const first = model
          .filter((entry) => entry.time === now)
          .sort((a, b) => a.event.label - b.event.label)[0]!
        expect(queue.popDue(now)).toBe(first.event)
        model = model.filter((entry) => entry !== first)
        fired++
      }
      expect(queue.size).toBe(model.length)
    }
    expect(fired).toBeGreaterThan(500)
    model.sort((a, b) => a.time - b.time || a.event.label - b.event.label)
    expect(drain(queue)).toEqual(model.map((entry) => entry.event.label))
  })

  it('gives nothing before its time', () => {
    const queue = new EventQueue()
    queue.push(10, new Labelled(1))
    expect(queue.popDue(9.999)).toBeUndefined()
    expect(queue.nextTime()).toBe(10)
    expect(queue.popDue(10)).toBeDefined()
    expect(queue.nextTime()).toBe(Infinity)
  })

  it('does not keep cancelled events for ever', () => {
    const queue = new EventQueue()
    const refs: Labelled[] = []
    for (let i = 0; i < 5000; i++) {
      const event = new Labelled(i)
      refs.push(event)
      queue.push(1e9 + i, event)
    }
    for (const event of refs.slice(0, 4000)) queue.cancel(event)
    expect(queue.size).toBe(1000)
    expect(drain(queue)).toEqual(refs.slice(4000).map((event) => event.label))
  })
})
