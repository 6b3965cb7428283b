import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fleet, hosts, losses, poolOf } from './fleet.ts'
import { play, story } from './stories.ts'

describe('host gateway agents in virtual time', () => {
  it('that start at the same moment have a subnet each soon after, and none ever loses one', async () => {
    // Hardly more subnets than hosts, so that nearly everyone is somebody's rival.
    for (const seed of [1, 2]) {
      const fleet = new Fleet(seed, poolOf('10.42.0.0/20', 24))
      await fleet.startAll(hosts(16))
      await fleet.untilWell()
      expect(losses(fleet)).toBe(0)
      expect(fleet.diary).toHaveLength(16)
    }
  })

  it('keep their subnets while others come and go', async () => {
    const fleet = new Fleet(4, poolOf('10.42.0.0/20', 24))
    await fleet.startAll(hosts(5))
    await fleet.untilWell()
    const before = fleet.diary.slice()
    for (const name of ['h6', 'h7', 'h8']) await fleet.start(name)
    fleet.crash('h6')
    await fleet.stop('h7')
    await fleet.untilWell()
    await fleet.sim.advance(30_000)
    expect(fleet.wrongs()).toEqual([])
    expect(fleet.diary.filter(({ host }) => before.some((entry) => entry.host === host))).toEqual(before)
  })

  it.each(['kill', 'crash'] as const)('have the same subnet again after a %s and a restart', async (how) => {
    const fleet = new Fleet(5)
    await fleet.startAll(hosts(4))
    await fleet.untilWell()
    const { subnet } = fleet.machine('h2')
    fleet[how]('h2')
    await fleet.sim.advance(how === 'kill' ? 500 : 20_000)
    await fleet.start('h2', { quietMs: 500 })
    await fleet.untilWell()
    expect(fleet.machine('h2').subnet).toBe(subnet)
    expect(losses(fleet)).toBe(0)
  })

  it('that were only restarted find their own claim standing, and use it at once', async () => {
    const fleet = new Fleet(6)
    await fleet.startAll(hosts(3))
    await fleet.untilWell()
    const { subnet } = fleet.machine('h1')
    fleet.kill('h1')
    // Even without a state file.
    fleet.machine('h1').remembered = undefined
    await fleet.start('h1', { quietMs: 60_000 })
    await fleet.sim.until(() => fleet.machine('h1').subnet === subnet, 1_000)
  })

  it('do not take the subnet of a host that they know has failed, since it may be back', async () => {
    const fleet = new Fleet(7, poolOf('10.42.0.0/22', 24))
    await fleet.startAll(hosts(3))
    await fleet.untilWell()
    const { subnet } = fleet.machine('h1')
    await fleet.start('h4', { quietMs: 20_000 })
    fleet.crash('h1')
    await fleet.untilWell()
    await fleet.start('h1')
    await fleet.untilWell()
    expect(fleet.machine('h1').subnet).toBe(subnet)
    expect(losses(fleet)).toBe(0)
  })

  it('say that the range is exhausted, and take the first subnet that a host gives up', async () => {
    const fleet = new Fleet(8, poolOf('10.42.0.0/23', 24))
    await fleet.startAll(hosts(2))
    await fleet.untilWell()
    await fleet.start('h3')
    const h3 = fleet.machine('h3')
    await fleet.sim.until(() => h3.agent?.status().claim === 'exhausted', 10_000)
    expect(h3.events).toContainEqual(expect.objectContaining({ code: 'ERR_RANGE_EXHAUSTED' }))
    const { subnet } = fleet.machine('h1')
    await fleet.stop('h1')
    await fleet.untilWell()
    expect(h3.subnet).toBe(subnet)
    expect(losses(fleet)).toBe(0)
  })

  it('take the subnet of a host that has failed for long where no other is left, and keep it when it returns', async () => {
    const fleet = new Fleet(9, poolOf('10.42.0.0/23', 24))
    await fleet.startAll(hosts(2))
    await fleet.untilWell()
    const { subnet } = fleet.machine('h1')
    await fleet.start('h3', { reuseAfterMs: 30_000 })
    fleet.crash('h1')
    await fleet.sim.advance(20_000)
    expect(fleet.machine('h3').subnet).toBeUndefined()
    await fleet.untilWell()
    expect(fleet.machine('h3').subnet).toBe(subnet)
    await fleet.start('h1')
    await fleet.sim.until(() => fleet.machine('h1').agent?.status().claim === 'exhausted', 10_000)
    expect(fleet.machine('h3').subnet).toBe(subnet)
  })

  it('that claimed the same subnet on both sides of a partition: one keeps it, the other takes another', async () => {
    const fleet = new Fleet(10, poolOf('10.42.0.0/21', 24))
    await fleet.startAll(hosts(4))
    await fleet.untilWell()
    const taken = fleet.running.map(({ subnet }) => subnet)
    const contested = [0n, 1n, 2n, 3n, 4n]
      .map((n) => fleet.pool.subnet(n))
      .find((one) => !taken.includes(one))
    const newcomers = ['h5', 'h6'].map((name) => fleet.machine(name))
    // Both remember it, as the copies of a machine do.
    for (const newcomer of newcomers) newcomer.remembered = contested
    const heal = fleet.partition(['h1', 'h2', 'h5'], ['h3', 'h4', 'h6'])
    await fleet.startAll(['h5', 'h6'])
    await fleet.sim.until(() => newcomers.every(({ subnet }) => subnet === contested), 30_000)
    heal()
    await fleet.untilWell()
    expect(losses(fleet)).toBe(1)
    expect(newcomers.filter(({ subnet }) => subnet === contested)).toHaveLength(1)
    await fleet.sim.advance(30_000)
    expect(losses(fleet)).toBe(1)
  })

  it('that lose their subnets when a partition heals oust nobody else', async () => {
    const fleet = new Fleet(11, poolOf('10.42.0.0/20', 24))
    const [left, right] = [
      ['h1', 'h2', 'h5', 'h6', 'h7', 'h8'],
      ['h3', 'h4', 'h9', 'h10', 'h11', 'h12'],
    ] as const
    await fleet.startAll(hosts(4))
    await fleet.untilWell()
    const heal = fleet.partition(left, right)
    const free = [...fleet.pool.inOrderOf('any')].filter((one) =>
      fleet.running.every(({ subnet }) => subnet !== one),
    )
    for (const side of [left, right]) {
      for (const [index, name] of side.slice(2).entries()) fleet.machine(name).remembered = free[index]
      await fleet.startAll(side.slice(2))
    }
    await fleet.sim.until(() => fleet.running.every(({ subnet }) => subnet !== undefined), 30_000)
    heal()
    await fleet.untilWell()
    expect(losses(fleet)).toBe(4)
  })

  it('have a subnet each, and keep it, after any starts, stops, crashes and partitions', async () => {
    await fc.assert(fc.asyncProperty(story, play), { numRuns: 10, seed: 1 })
  })
})
