import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Member } from '../../src/membership/member.ts'
import { Ring } from '../../src/membership/ring.ts'
import { recordOf } from './records.ts'

const step = fc.record({ name: fc.nat({ max: 40 }).map((n) => `n${n}`), look: fc.boolean() })

it('members stand by their ids, whatever was added and removed in between', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.nat(), fc.nat(), (steps, one, other) => {
      const ring = new Ring()
      const model = new Map<string, Member>()
      for (const { name, look } of steps) {
        const present = model.get(name)
        if (present === undefined) {
          const member = new Member(recordOf(name))
          model.set(name, member)
          ring.add(member)
        } else {
          model.delete(name)
          ring.remove(present)
        }
        if (look) expect(ring.members).toHaveLength(model.size)
      }
      const sorted = [...model.values()].sort((a, b) => a.id - b.id)
      expect(ring.members).toEqual(sorted)
      sorted.forEach((member, i) => {
        expect(ring.indexOf(member)).toBe(i)
      })
      const [from, to] = one < other ? [one, other] : [other, one]
      expect(ring.between(from, to)).toEqual(sorted.filter(({ id }) => id >= from && id < to))
    }),
  )
})
