import { expect, test } from 'vitest'
import { explore, type World } from './small-world.ts'
import type { Sight } from './small-world-replica.ts'

const BOUNDED = { dels: 0, ranges: 1, joinedRanges: 1, tombs: 1, joinedTombs: 1, rowRanges: 1 }

const worlds: readonly { readonly name: string; readonly world: World; readonly sights: readonly Sight[] }[] =
  [
    {
      name: 'events and whole syncs',
      world: { ops: 5, keys: 2, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'events and whole syncs, with a delete log',
      world: { ops: 4, keys: 2, limits: { dels: 1 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'a stream that may be cut at any frame',
      world: { ops: 3, keys: 2, streams: 1, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'two streams at once',
      world: { ops: 3, keys: 1, streams: 2, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'streams to replicas that may forget the log at any time',
      world: { ops: 3, keys: 2, streams: 1, forget: true, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'an owner that opens another epoch',
      world: { ops: 3, keys: 2, bumps: 2, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'stale', 'joined'],
    },
    {
      name: 'streams of an owner that opens another epoch, to replicas that may forget',
      world: { ops: 2, keys: 2, bumps: 1, streams: 1, forget: true, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'stale', 'joined', 'full'],
    },
    {
      name: 'events that name what they supersede',
      world: { ops: 4, keys: 2, superseding: true, limits: { dels: 0 } },
      sights: ['new', 'duplicate', 'joined', 'full'],
    },
    {
      name: 'events that name what they supersede, of an owner that opens another epoch',
      world: { ops: 3, keys: 1, bumps: 1, superseding: true, limits: { dels: 1 } },
      sights: ['new', 'duplicate', 'stale', 'joined'],
    },
    {
      name: 'events that name what they supersede, under bounds so small that much is refused',
      world: { ops: 4, keys: 2, superseding: true, refuses: true, limits: BOUNDED },
      sights: ['new', 'duplicate', 'refused', 'held', 'joined', 'full'],
    },
    {
      name: 'bounds so small that much is refused',
      world: { ops: 5, keys: 2, refuses: true, limits: BOUNDED },
      sights: ['new', 'duplicate', 'refused', 'held', 'joined', 'not joined', 'full'],
    },
    {
      name: 'streams under bounds so small that much is refused',
      world: { ops: 4, keys: 1, refuses: true, streams: 1, limits: BOUNDED },
      sights: ['new', 'duplicate', 'refused', 'held', 'joined', 'full'],
    },
  ]

test.each(worlds)('every state of a small world keeps every rule: $name', ({ name, world, sights }) => {
  const { violation, complete, states, transitions, seen } = explore(world)
  expect(violation).toBeUndefined()
  expect(complete).toBe(true)
  for (const sight of sights) expect(seen[sight], sight).toBeGreaterThan(0)
  console.info(`${name}: ${states} states, ${transitions} transitions`)
})
