import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { View } from '../../src/network-state/view.ts'
import { type EntryItem, entryKey } from '../../src/wire/entry-event.ts'

const OWNERS = ['a', 'b', 'c', 'd']
const KEYS = ['t1 x', 't1 y', 't2 x'].map((name) => entryKey(...(name.split(' ') as [string, string])))

interface Owner {
  readonly entries: Map<string, EntryItem>
  visible: boolean
  reachable: boolean
}

class Logs {
  readonly owners = new Map<string, Owner>(
    OWNERS.map((name) => [name, { entries: new Map(), visible: true, reachable: true }]),
  )
  readonly view: View = new View({
    entry: (owner, key) => this.owner(owner).entries.get(key),
    keysOf: (owner) => this.owner(owner).entries.keys(),
    visible: (owner) => this.owner(owner).visible,
    reachable: (owner) => this.owner(owner).reachable,
  })

  owner(name: string): Owner {
    return this.owners.get(name)!
  }

  set(owner: string, key: string, stamp: number): void {
    this.owner(owner).entries.set(key, { seq: 1, key, value: new Uint8Array(0), stamp })
    this.view.entryChanged(owner, key)
  }

  delete(owner: string, key: string): void {
    this.owner(owner).entries.delete(key)
    this.view.entryChanged(owner, key)
  }

  /** The rule itself, over all logs: reachable, then stamp, then name. */
  winner(key: string): string | undefined {
    const claims = OWNERS.filter((name) => this.owner(name).visible && this.owner(name).entries.has(key))
    const rank = (name: string): [number, number, string] => [
      Number(this.owner(name).reachable),
      this.owner(name).entries.get(key)!.stamp,
      name,
    ]
    return claims.sort((a, b) => {
      const [one, other] = [rank(a), rank(b)]
      const at = one.findIndex((part, i) => part !== other[i])
      return one[at]! < other[at]! ? -1 : 1
    })[claims.length - 1]
  }
}

const steps = fc.array(
  fc.record({
    do: fc.constantFrom(
      'set' as const,
      'set' as const,
      'delete' as const,
      'visible' as const,
      'reachable' as const,
    ),
    owner: fc.constantFrom(...OWNERS),
    key: fc.constantFrom(...KEYS),
    stamp: fc.nat(3),
  }),
  { maxLength: 40 },
)

describe('a view', () => {
  it('shows of each key the maximum of (reachable, stamp, owner name) among visible claims', () => {
    fc.assert(
      fc.property(steps, (story) => {
        const logs = new Logs()
        for (const step of story) {
          const owner = logs.owner(step.owner)
          if (step.do === 'set') logs.set(step.owner, step.key, step.stamp)
          else if (step.do === 'delete') logs.delete(step.owner, step.key)
          else {
            owner[step.do] = !owner[step.do]
            logs.view.ownerChanged(step.owner)
          }
          for (const key of KEYS) {
            const winner = logs.winner(key)
            const claims = logs.view.claims(key)
            const owners = OWNERS.filter((name) => logs.owner(name).entries.has(key))
            expect(logs.view.winner(key)?.owner).toBe(winner)
            expect(claims.find(({ hidden }) => !hidden)?.owner).toBe(winner)
            expect(claims.map(({ owner }) => owner).sort()).toEqual(owners)
            expect([...logs.view.owners(key)].sort()).toEqual(owners)
            expect([...logs.view.keys(key.slice(0, 2))].includes(key)).toBe(owners.length > 0)
          }
        }
      }),
    )
  })

  it('tells of each key of a table whose winner may have changed, until it is told to stop', () => {
    const logs = new Logs()
    const told: string[] = []
    const stop = logs.view.watch('t1', (key) => told.push(key))
    logs.set('a', KEYS[0]!, 1)
    logs.set('b', KEYS[0]!, 1)
    logs.set('a', KEYS[2]!, 1)
    logs.delete('a', KEYS[0]!)
    logs.view.ownerChanged('b')
    expect(told).toEqual([KEYS[0], KEYS[0], KEYS[0], KEYS[0]])
    stop()
    logs.set('a', KEYS[0]!, 2)
    expect(told).toHaveLength(4)
  })
})
