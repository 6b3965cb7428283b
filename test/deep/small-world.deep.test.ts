import { expect, test } from 'vitest'
import { explore, type World } from '../network-state/small-world.ts'

const worlds: readonly { readonly name: string; readonly world: World }[] = [
  { name: 'events and whole syncs, six operations', world: { ops: 6, keys: 2, limits: { dels: 0 } } },
  { name: 'events and whole syncs, with a delete log', world: { ops: 5, keys: 2, limits: { dels: 1 } } },
  {
    name: 'a stream that may be cut at any frame',
    world: { ops: 4, keys: 2, streams: 1, limits: { dels: 0 } },
  },
  { name: 'two streams at once', world: { ops: 3, keys: 2, streams: 2, limits: { dels: 0 } } },
  {
    name: 'an owner that opens another epoch, with streams',
    world: { ops: 3, keys: 2, bumps: 1, streams: 1, limits: { dels: 0 } },
  },
  {
    name: 'an owner that opens another epoch, with two streams, to replicas that may forget',
    world: { ops: 2, keys: 1, bumps: 1, streams: 2, forget: true, limits: { dels: 0 } },
  },
  {
    name: 'events that name what they supersede, and a stream that may be cut at any frame',
    world: { ops: 3, keys: 2, streams: 1, superseding: true, limits: { dels: 0 } },
  },
  {
    name: 'events that name what they supersede',
    world: { ops: 5, keys: 2, superseding: true, limits: { dels: 0 } },
  },
  {
    name: 'streams under bounds so small that much is refused',
    world: {
      ops: 4,
      keys: 2,
      streams: 1,
      refuses: true,
      limits: { dels: 0, ranges: 1, joinedRanges: 1, tombs: 1, joinedTombs: 1, rowRanges: 1 },
    },
  },
]

test.each(worlds)(
  'every state of a larger world keeps every rule: $name',
  ({ name, world }) => {
    const { violation, complete, states, transitions } = explore(world)
    expect(violation).toBeUndefined()
    expect(complete).toBe(true)
    console.info(`${name}: ${states} states, ${transitions} transitions`)
  },
  300_000,
)
