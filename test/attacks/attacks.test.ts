import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../waiting.ts'
import { ATTACKS } from './attacks.ts'
import { farewellOf, sealer } from './sealing.ts'
import { Siege } from './siege.ts'

let siege: Siege

beforeAll(async () => {
  siege = await Siege.begin()
  for (const attack of ATTACKS) attack.begin?.(siege)
})

afterAll(() => siege.close())

describe('an adversary without the key leaves members, state and probes as they are, by', () => {
  it.each(ATTACKS)('$name', async (attack) => {
    const { tried, disturbed } = await siege.suffer(attack)
    expect(tried).toBeGreaterThan(0)
    expect(disturbed).toEqual([])
  })
})

it('with the key, a single one of the packets that were refused above is believed', async () => {
  const { target, peer } = siege
  const left: string[] = []
  target.cluster.on('member-left', ({ name }) => left.push(name))
  const seal = await sealer(siege.key, siege.label)
  target.tap.inject(seal(farewellOf(peer.cluster.self)), siege.adversary.address)
  await until(() => left.includes(peer.cluster.self.name))
})
