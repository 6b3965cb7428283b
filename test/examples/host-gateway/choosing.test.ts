import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Claimants,
  type Decision,
  decide,
  type Situation,
} from '../../../examples/host-gateway/choosing.ts'
import { poolOf } from './fleet.ts'

const POOL = poolOf('10.42.0.0/22', 24)
const ALL = [...POOL.inOrderOf('h1')]
const [A, B, C, D] = ALL as [string, string, string, string]
const FOREIGN = '10.99.0.0/24'

type Claims = Readonly<Record<string, Claimants>>

const by = (...owners: string[]): Claimants => owners.map((owner) => ({ owner, hidden: false }))
const failed = (...owners: string[]): Claimants => owners.map((owner) => ({ owner, hidden: true }))

function look(claims: Claims, changed: Partial<Situation> = {}): Decision {
  const claimants = (subnet: string): Claimants => claims[subnet] ?? []
  const own = Object.keys(claims).filter((subnet) => claimants(subnet).some(({ owner }) => owner === 'h1'))
  return decide({
    name: 'h1',
    pool: POOL,
    own,
    preferred: undefined,
    claimants,
    isAbandoned: () => false,
    calm: true,
    ...changed,
  })
}

describe('the choice of a subnet', () => {
  it('is the first in the order of this host to which nobody has a claim', () => {
    expect(look({})).toEqual({ type: 'claim', subnet: A })
    expect(look({ [A]: by('h2'), [B]: by('h3') })).toEqual({ type: 'claim', subnet: C })
  })

  it('is the former one where nobody else has a claim to it', () => {
    expect(look({}, { preferred: D })).toEqual({ type: 'claim', subnet: D })
    expect(look({ [D]: by('h2') }, { preferred: D })).toEqual({ type: 'claim', subnet: A })
    expect(look({ [D]: failed('h2') }, { preferred: D })).toEqual({ type: 'claim', subnet: A })
    expect(look({}, { preferred: FOREIGN })).toEqual({ type: 'claim', subnet: A })
  })

  it('waits until there is calm', () => {
    expect(look({}, { calm: false, preferred: D })).toEqual({ type: 'wait' })
  })

  it('keeps a claim that wins, calm or not, whatever others there are', () => {
    const claims = { [B]: [...by('h1', 'h2'), ...failed('h3')], [A]: by('h2') }
    expect(look(claims, { calm: false })).toEqual({ type: 'keep', subnet: B })
  })

  it('keeps one of several, the former one rather than others', () => {
    expect(look({ [B]: by('h1'), [C]: by('h1') }, { preferred: C })).toEqual({ type: 'keep', subnet: C })
    expect(look({ [B]: by('h1'), [C]: by('h1', 'h2'), [D]: by('h2', 'h1') })).toMatchObject({ type: 'keep' })
  })

  it('gives up a claim that does not win, calm or not, before anything else', () => {
    const decision = look({ [B]: by('h2', 'h1') }, { calm: false, preferred: B })
    expect(decision).toEqual({ type: 'withdraw', subnet: B, winner: 'h2' })
  })

  it('gives up a claim from the time of another range', () => {
    expect(look({ [FOREIGN]: by('h1') })).toMatchObject({ type: 'withdraw', subnet: FOREIGN })
  })

  it('leaves what failed hosts had to them, until nothing else is left and they have been away for long', () => {
    const claims = { [A]: failed('h2'), [B]: by('h3'), [C]: by('h4') }
    expect(look(claims, { isAbandoned: (subnet) => subnet === A })).toEqual({ type: 'claim', subnet: D })
    const full = { ...claims, [D]: failed('h5') }
    expect(look(full)).toEqual({ type: 'exhausted' })
    expect(look(full, { isAbandoned: (subnet) => subnet === D })).toEqual({ type: 'claim', subnet: D })
  })

  it('never claims over anybody who is there, never keeps what another has won, and never leaves a winning claim', () => {
    const claimants = fc
      .uniqueArray(fc.record({ owner: fc.constantFrom('h1', 'h2', 'h3'), hidden: fc.boolean() }), {
        selector: ({ owner }) => owner,
        maxLength: 3,
      })
      // As the table has it: visible ones first, and never is the own one hidden.
      .map((all) => all.map((each) => (each.owner === 'h1' ? { ...each, hidden: false } : each)))
      .map((all) => [...all].sort((a, b) => Number(a.hidden) - Number(b.hidden)))
    const anyClaims = fc.tuple(claimants, claimants, claimants, claimants)
    fc.assert(
      fc.property(anyClaims, fc.boolean(), fc.option(fc.constantFrom(...ALL)), (lists, calm, preferred) => {
        const claims: Claims = Object.fromEntries(ALL.map((subnet, index) => [subnet, lists[index] ?? []]))
        const isAbandoned = (subnet: string): boolean => (claims[subnet] ?? []).every(({ hidden }) => hidden)
        const decision = look(claims, { calm, preferred: preferred ?? undefined, isAbandoned })
        const winnerOf = (subnet: string): string | undefined => claims[subnet]?.[0]?.owner
        const hasWon = ALL.some((subnet) => winnerOf(subnet) === 'h1')
        const hasClaim = lists.some((list) => list.some(({ owner }) => owner === 'h1'))
        expect(decision.type === 'keep').toBe(hasWon)
        expect(decision.type === 'withdraw').toBe(hasClaim && !hasWon)
        if (decision.type === 'keep') expect(winnerOf(decision.subnet)).toBe('h1')
        if (decision.type === 'claim') {
          expect(calm).toBe(true)
          expect((claims[decision.subnet] ?? []).filter(({ hidden }) => !hidden)).toEqual([])
        }
      }),
    )
  })
})
