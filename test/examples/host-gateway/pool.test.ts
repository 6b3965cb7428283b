import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SubnetPool } from '../../../examples/host-gateway/pool.ts'
import { contains, type Prefix, parsePrefix } from '../../../examples/host-gateway/prefix.ts'
import { parsePrefix as kernelSpelling } from '../../../src/agent/index.ts'
import { poolOf } from './fleet.ts'

const name = fc.string({ minLength: 1, maxLength: 20 })
/** Small enough to be walked through. */
const smallPool: fc.Arbitrary<SubnetPool> = fc
  .record({
    range: fc.constantFrom('10.42.0.0/16', '10.0.0.0/8', '172.16.0.0/12', 'fd42::/48', 'fd42:7::/32'),
    bits: fc.integer({ min: 0, max: 8 }),
  })
  .map(({ range, bits }) => poolOf(range, (parsePrefix(range) as Prefix).length + bits))

describe('a pool of subnets', () => {
  it('gives each host every subnet once, all in the range, spelled as the kernel does, and none overlapping another', () => {
    fc.assert(
      fc.property(smallPool, name, (pool, host) => {
        const subnets = [...pool.inOrderOf(host)]
        expect(BigInt(subnets.length)).toBe(pool.size)
        expect(new Set(subnets).size).toBe(subnets.length)
        for (const subnet of subnets) {
          const prefix = parsePrefix(subnet) as Prefix
          expect(prefix.length).toBe(pool.subnetLength)
          expect(contains(pool.range, prefix)).toBe(true)
          expect(kernelSpelling(subnet)).toBe(subnet)
          expect(pool.has(subnet)).toBe(true)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('has the same order for a host every time, and starts elsewhere for most others', () => {
    const pool = poolOf('10.42.0.0/16', 24)
    const firstOf = (host: string): unknown => pool.inOrderOf(host).next().value
    const firsts = Array.from({ length: 100 }, (_, n) => firstOf(`h${n}`))
    expect(firsts).toEqual(Array.from({ length: 100 }, (_, n) => firstOf(`h${n}`)))
    // 100 balls in 256 boxes hit 83 of them on average.
    expect(new Set(firsts).size).toBeGreaterThan(70)
  })

  it('parts two hosts that began with the same subnet', () => {
    const pool = poolOf('10.42.0.0/16', 24)
    const byFirst = new Map<string, string[]>()
    for (let n = 0; n < 1_000; n++) {
      const [first = '', second = ''] = pool.inOrderOf(`h${n}`)
      byFirst.set(first, [...(byFirst.get(first) ?? []), second])
    }
    const rivals = [...byFirst.values()].filter((seconds) => seconds.length > 1)
    expect(rivals.length).toBeGreaterThan(200)
    const parted = rivals.filter((seconds) => new Set(seconds).size === seconds.length)
    expect(parted.length / rivals.length).toBeGreaterThan(0.85)
  })

  it('may have more subnets than anybody could count', () => {
    const pool = poolOf('fd00::/8', 126)
    const [first = '', second = ''] = (() => {
      const order = pool.inOrderOf('h1')
      return [order.next().value, order.next().value]
    })() as string[]
    expect(pool.has(first)).toBe(true)
    expect(second).not.toBe(first)
  })

  it.each(['10.43.0.0/24', '10.42.1.0/25', '10.42.0.0/16', '10.42.1.1/24', '10.42.1.0', 'fd42::/24', 'x'])(
    'does not have %s',
    (subnet) => {
      expect(poolOf('10.42.0.0/16', 24).has(subnet)).toBe(false)
    },
  )

  it('has a subnet under one name only', () => {
    const pool = poolOf('fd42::/48', 64)
    expect(pool.has('fd42:0:0:a::/64')).toBe(true)
    expect(pool.has('fd42:0:0:A::/64')).toBe(false)
    expect(pool.has('fd42:0:0:000a::/64')).toBe(false)
  })

  it.each([
    ['10.42.0.0/16', 15],
    ['10.42.0.0/16', 31],
    ['10.42.0.0/16', Number.NaN],
    ['fd42::/48', 127],
  ])('of %s refuses subnets of length %s', (range, length) => {
    expect(() => new SubnetPool(parsePrefix(range) as Prefix, length)).toThrow(RangeError)
  })
})
