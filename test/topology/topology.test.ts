import { describe, expect, it } from 'vitest'
import { Topology } from '../../src/topology/topology.ts'
import { generator } from './arbitraries.ts'

describe('a topology', () => {
  it('learns distances from answers alone', () => {
    const [a, b] = [new Topology(generator(1)), new Topology(generator(2))]
    expect(a.distanceTo('b')).toBeUndefined()
    for (let i = 0; i < 60; i++) {
      a.observe('b', 42, b.coordinate())
      b.observe('a', 42, a.coordinate())
    }
    expect(a.distanceTo('b')).toBeGreaterThan(38)
    expect(a.distanceTo('b')).toBeLessThan(46)
    expect([a.rejected, a.resets]).toEqual([0, 0])
  })

  it('knows nothing of members that are forgotten or told no coordinate', () => {
    const topology = new Topology(generator(1))
    topology.observe('silent', 5, new Uint8Array(0))
    expect(topology.distanceTo('silent')).toBeUndefined()
    topology.observe('b', 5, new Topology(generator(2)).coordinate())
    expect(topology.distanceTo('b')).toBeGreaterThan(0)
    topology.forget('b')
    expect(topology.distanceTo('b')).toBeUndefined()
    expect(topology.rejected).toBe(0)
  })

  it('counts answers that make no sense and does not let them count as round trips', () => {
    const topology = new Topology(generator(1))
    const there = new Topology(generator(2)).coordinate()
    const before = topology.coordinate()
    topology.observe('b', 5, Uint8Array.of(1, 2, 3))
    for (const ms of [Number.NaN, 10_001, -1, -1]) topology.observe('b', ms, there)
    expect(topology.rejected).toBe(5)
    expect(topology.coordinate()).toEqual(before)
    expect(topology.distanceTo('b')).toBeUndefined()

    const clean = new Topology(generator(1))
    for (const one of [topology, clean]) one.observe('b', 5, there)
    expect(topology.coordinate()).toEqual(clean.coordinate())
  })
})
