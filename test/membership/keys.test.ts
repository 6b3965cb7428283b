import { describe, expect, it } from 'vitest'
import { MemberWorld } from './member-world.ts'

describe('the keys that members list', () => {
  it('reach everyone by gossip, and are never lower news than what was known before', () => {
    const world = new MemberWorld()
    const nodes = world.cluster('a', 'b', 'c')
    const [a] = nodes
    a!.membership.setKeys([1, 2])
    a!.membership.setKeys([2])
    world.run(1_000)
    for (const node of nodes) {
      const { keys, record } = node.membership.members.get('a')!
      expect([keys, record.incarnation]).toEqual([[2], 2])
    }
  })

  it('outlive a refutation, and new metadata', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b', 'c')
    a!.membership.setKeys([7])
    a!.membership.setMetadata(Uint8Array.of(1))
    world.run(1_000)
    expect(b!.membership.members.get('a')!.keys).toEqual([7])
  })
})

describe('a rotation of keys that one node has not heard of', () => {
  const mismatches = (digest: number, held: readonly number[] = [7]): number => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    a!.membership.setKeys([7])
    b!.membership.setKeys(held)
    world.run(10_000)
    const before = b!.antiEntropy.counts.mismatches + a!.antiEntropy.counts.mismatches
    a!.membership.members.keysDigest = digest
    world.run(1_500)
    return b!.antiEntropy.counts.mismatches + a!.antiEntropy.counts.mismatches - before
  }

  it('shows in the digests of the next probe', () => {
    expect(mismatches(0x1234_5678)).toBeGreaterThan(0)
  })

  it('is not seen where there is none', () => {
    expect(mismatches(0)).toBe(0)
  })

  it('is not seen where one of the two holds no keys, and could do nothing about it', () => {
    expect(mismatches(0x1234_5678, [])).toBe(0)
  })
})
