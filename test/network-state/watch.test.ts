import { describe, expect, it, vi } from 'vitest'
import { VirtualWorld } from '../../sim/virtual-world.ts'
import { View } from '../../src/network-state/view.ts'
import { Watch } from '../../src/network-state/watch.ts'
import { type EntryItem, entryKey } from '../../src/wire/entry-event.ts'

/** One owner's entries, without any network. */
class Entries {
  readonly items = new Map<string, EntryItem>()
  readonly view: View

  constructor() {
    this.view = new View({
      entry: (_owner, key) => this.items.get(key),
      keysOf: () => this.items.keys(),
      visible: () => true,
      reachable: () => true,
    })
  }

  set(name: string): void {
    const key = entryKey('t', name)
    this.items.set(key, { seq: 1, key, value: new TextEncoder().encode(name), stamp: 1 })
    this.view.entryChanged('a', key)
  }

  delete(name: string): void {
    const key = entryKey('t', name)
    this.items.delete(key)
    this.view.entryChanged('a', key)
  }
}

function watchOf(entries: Entries): Watch<string> {
  const runtime = new VirtualWorld({ seed: 1 }).host('a').boot()
  const source = {
    table: 't',
    view: entries.view,
    decode: ({ item }: { item: EntryItem }) => ({ value: new TextDecoder().decode(item.value) }),
    keyWithin: (key: string) => key.slice(2),
    hiddenBecause: () => undefined,
  }
  return new Watch<string>(runtime, source, () => {})
}

describe('a watch that nobody reads', () => {
  it('remembers keys that are there, and none that came and went', async () => {
    const entries = new Entries()
    entries.set('seen')
    const watch = watchOf(entries)
    await watch.next()
    await watch.next()
    for (let i = 0; i < 10_000; i++) {
      entries.set(`k${i}`)
      entries.delete(`k${i}`)
    }
    entries.set('stays')
    entries.delete('seen')
    const looked = vi.spyOn(entries.view, 'winner')
    expect((await watch.next()).value).toMatchObject({ type: 'set', key: 'stays' })
    expect((await watch.next()).value).toMatchObject({ type: 'delete', key: 'seen' })
    expect(looked).toHaveBeenCalledTimes(2)
  })
})
