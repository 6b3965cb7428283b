import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareKeys,
  holdsUp,
  installKey,
  type KeyLattice,
  keyInUse,
  keyUnderWay,
  latticeDigest,
  MAX_RING_KEYS,
  mergeLattices,
  NO_ROTATION,
  type RingKey,
  takeStep,
} from '../../src/security/key-lattice.ts'

const order = fc.record({ generation: fc.integer({ min: 1, max: 3 }), id: fc.nat({ max: 12 }) })
const ringKey: fc.Arbitrary<RingKey> = fc
  .tuple(order, fc.constantFrom('install' as const, 'use' as const))
  .map(([key, stage]) => ({ ...key, stage }))

/** Anything that merges could have made: keys that ascend, none below the floor, no more than may be. */
const lattice: fc.Arbitrary<KeyLattice> = fc
  .record({
    floor: fc.oneof(fc.constant(NO_ROTATION.floor), order),
    keys: fc.array(ringKey, { maxLength: 30 }),
  })
  .map(({ floor, keys }) =>
    keys.reduce(
      (made, key) => mergeLattices(made, { floor: NO_ROTATION.floor, keys: [key] }),
      mergeLattices(NO_ROTATION, { floor, keys: [] }),
    ),
  )

const key = (generation: number, id: number, stage: RingKey['stage']): RingKey => ({ generation, id, stage })

describe('the lattice of keys', () => {
  it('merges the same way in any order', () => {
    fc.assert(
      fc.property(lattice, lattice, (a, b) => {
        expect(mergeLattices(a, b)).toEqual(mergeLattices(b, a))
      }),
    )
  })

  it('merges the same way in any grouping, where keys have to be forgotten, too', () => {
    fc.assert(
      fc.property(lattice, lattice, lattice, (a, b, c) => {
        expect(mergeLattices(mergeLattices(a, b), c)).toEqual(mergeLattices(a, mergeLattices(b, c)))
      }),
      { numRuns: 2000 },
    )
  })

  it('is the very same where a merge adds nothing', () => {
    fc.assert(
      fc.property(lattice, lattice, (a, b) => {
        const merged = mergeLattices(a, b)
        expect(mergeLattices(merged, a)).toBe(merged)
        expect(mergeLattices(merged, structuredClone(b))).toBe(merged)
      }),
    )
  })

  it('has equal digests where it is equal, others where it is not, and none where nothing was rotated', () => {
    fc.assert(
      fc.property(lattice, lattice, (a, b) => {
        const equal = mergeLattices(a, b) === a && mergeLattices(b, a) === b
        expect(fc.stringify(latticeDigest(a)) === fc.stringify(latticeDigest(b))).toBe(equal)
      }),
    )
    expect(latticeDigest(NO_ROTATION)).toEqual({ high: 0, low: 0 })
  })

  it('holds a bounded number of keys, and never forgets the one in use for others', () => {
    let full = mergeLattices(NO_ROTATION, { ...NO_ROTATION, keys: [key(1, 1, 'use')] })
    for (let id = 2; id < 100; id++) full = installKey(full, id)
    expect(full.keys).toHaveLength(MAX_RING_KEYS + 1)
    expect(keyInUse(full)?.id).toBe(1)
    expect(full.keys.at(-1)?.id).toBe(99)
  })
})

describe('a step of a rotation', () => {
  const installed = installKey(NO_ROTATION, 7)

  it('is the use of a key once all list it', () => {
    expect(takeStep(installed, [[1, 7], [1]])).toBe(installed)
    expect(keyInUse(takeStep(installed, [[1, 7], [7]]))).toEqual(key(1, 7, 'use'))
  })

  it('is the retirement of the older keys once all seal with the new one', () => {
    const used = takeStep(installed, [[7]])
    expect(
      takeStep(used, [
        [7, 1],
        [1, 7],
      ]),
    ).toBe(used)
    expect(keyUnderWay(used)?.id).toBe(7)
    const done = takeStep(used, [[7, 1], [7]])
    expect(done.floor).toEqual({ generation: 1, id: 7 })
    expect(keyUnderWay(done)).toBeUndefined()
    expect(takeStep(done, [[7]])).toBe(done)
  })

  it('is never one of the next key while older ones of the one before wait to be retired', () => {
    const both = installKey(takeStep(installed, [[7]]), 8)
    expect(keyUnderWay(both)?.id).toBe(7)
    expect(takeStep(both, [[1, 7, 8]])).toBe(both)
  })

  it('goes to the lower id first, of two keys that were brought in at once', () => {
    const both = mergeLattices(installKey(NO_ROTATION, 9), installKey(NO_ROTATION, 8))
    expect(keyUnderWay(both)?.id).toBe(8)
  })

  it('is held up by whoever does not list a key, or does not seal with it', () => {
    expect([holdsUp(key(1, 7, 'install'), [1]), holdsUp(key(1, 7, 'install'), [1, 7])]).toEqual([true, false])
    expect([holdsUp(key(1, 7, 'use'), [1, 7]), holdsUp(key(1, 7, 'use'), [7, 1])]).toEqual([true, false])
    expect(holdsUp(key(1, 7, 'use'), [])).toBe(true)
  })
})

/** What a node of this model holds, and what it has heard that others list: perhaps long ago. */
class Node {
  lattice: KeyLattice = NO_ROTATION
  readonly id: number
  readonly heard = new Map<number, readonly number[]>()

  constructor(id: number) {
    this.id = id
  }

  /** The base key is 0. */
  get lists(): number[] {
    const { keys, floor } = this.lattice
    const ids = [keyInUse(this.lattice)?.id ?? 0, ...keys.map(({ id }) => id)]
    if (floor.generation === 0) ids.push(0)
    return [...new Set(ids)]
  }
}

type Act = { readonly kind: 'sync' | 'tell' | 'step'; readonly a: number; readonly b: number }

describe('nodes that rotate keys', () => {
  const acts = fc.array(
    fc.record<Act>({
      kind: fc.constantFrom('sync', 'sync', 'tell', 'tell', 'tell', 'step'),
      a: fc.nat({ max: 4 }),
      b: fc.nat({ max: 4 }),
    }),
    { maxLength: 120 },
  )
  const starts = fc.array(fc.record({ at: fc.nat({ max: 100 }), node: fc.nat({ max: 4 }) }), {
    minLength: 1,
    maxLength: 4,
  })

  it('end with one key that all seal with, whoever hears what when, and never seal with one that is not held', () => {
    fc.assert(
      fc.property(starts, acts, (begun, story) => {
        const nodes = Array.from({ length: 5 }, (_, id) => new Node(id))
        for (const node of nodes) for (const other of nodes) node.heard.set(other.id, [0])
        const act = ({ kind, a, b }: Act): void => {
          const [one, other] = [nodes[a]!, nodes[b]!]
          if (kind === 'sync') one.lattice = mergeLattices(one.lattice, other.lattice)
          else if (kind === 'tell') one.heard.set(b, other.lists)
          else {
            one.heard.set(a, one.lists)
            one.lattice = takeStep(one.lattice, one.heard.values())
          }
        }
        /** By the rule of sending: with the key in use, or else with the first that the receiver is known to hold. */
        const sealed = (node: Node, receiver: Node): boolean => {
          const sealsWith = node.lists[0]!
          const listed = node.heard.get(receiver.id)!
          const common = listed.includes(sealsWith) ? sealsWith : listed.find((id) => node.lists.includes(id))
          return receiver.lists.includes(common ?? sealsWith)
        }
        let id = 10
        for (const [i, step] of story.entries()) {
          for (const { at, node } of begun) {
            if (at === i) nodes[node]!.lattice = installKey(nodes[node]!.lattice, id++ % 13)
          }
          act(step)
          for (const node of nodes) for (const receiver of nodes) if (!sealed(node, receiver)) expect.fail()
        }
        for (const { at, node } of begun) {
          if (at >= story.length) nodes[node]!.lattice = installKey(nodes[node]!.lattice, id++ % 13)
        }
        for (let round = 0; round < 12; round++) {
          for (const kind of ['sync', 'tell', 'step'] as const) {
            for (let a = 0; a < 5; a++) for (let b = 0; b < 5; b++) act({ kind, a, b })
          }
        }
        const [first] = nodes
        for (const node of nodes) {
          expect(node.lattice).toEqual(first!.lattice)
          expect(node.lists).toEqual([keyInUse(first!.lattice)!.id])
          expect(compareKeys(keyInUse(node.lattice)!, node.lattice.floor)).toBe(0)
        }
      }),
      { numRuns: 200 },
    )
  })
})
