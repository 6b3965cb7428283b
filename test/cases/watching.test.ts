import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change, Codec, HearsayWarning, Owned } from '../../src/index.ts'
import { Hosts } from './hosts.ts'

/** Takes the changes of a watch when it is told to, and makes a table of them. */
class Replay {
  readonly table = new Map<string, Owned<string>>()
  readonly problems: string[] = []
  #changes: AsyncIterator<Change<string>>
  #synced = 0
  #waiting = false
  #wanted = 0

  constructor(changes: AsyncIterable<Change<string>>) {
    this.#changes = changes[Symbol.asyncIterator]()
  }

  /** Takes so many changes more, as they come. */
  take(count: number): void {
    this.#wanted += count
    this.#next()
  }

  get synced(): number {
    return this.#synced
  }

  #next(): void {
    if (this.#waiting || this.#wanted === 0) return
    this.#waiting = true
    void this.#changes.next().then(({ done, value }) => {
      this.#waiting = false
      this.#wanted--
      if (!done) this.#apply(value)
      this.#next()
    })
  }

  #apply(change: Change<string>): void {
    if (change.type === 'synced') {
      this.#synced++
      return
    }
    const { key } = change
    const before = this.table.get(key)
    if (JSON.stringify(before) !== JSON.stringify(change.previous)) this.problems.push(`previous of ${key}`)
    if (change.type === 'delete') {
      this.table.delete(key)
      return
    }
    const { value, owner } = change
    if (before?.value === value && before.owner === owner) this.problems.push(`${key} twice`)
    this.table.set(key, { value, owner })
  }
}

type Step =
  | { readonly do: 'set' | 'delete'; readonly host: number; readonly key: number; readonly value: number }
  | { readonly do: 'take'; readonly watch: number; readonly count: number }
  | { readonly do: 'rejoin' | 'watch' }
  | { readonly do: 'wait'; readonly ms: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
        host: fc.nat(1),
        key: fc.nat(5),
        value: fc.nat(2),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('take' as const), watch: fc.nat(2), count: fc.nat(4) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('rejoin' as const, 'watch' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(200) }) },
  ),
  { maxLength: 60 },
)

describe('a watch', () => {
  it('gives, at any pace at which its changes are taken, exactly the table', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps, async (seed, story) => {
        const hosts = await Hosts.joined(2, seed)
        const replays = [new Replay(hosts.table('n0').watch())]
        for (const step of story) {
          if (step.do === 'wait') await hosts.sim.advance(step.ms)
          else if (step.do === 'take') replays[step.watch % replays.length]!.take(step.count)
          else if ('key' in step) {
            const table = hosts.table(`n${step.host}`)
            if (step.do === 'set') table.set(`k${step.key}`, `v${step.value}`)
            else table.delete(`k${step.key}`)
          } else if (step.do === 'rejoin') await hosts.rejoin('n1')
          else replays.push(new Replay(hosts.table('n0').watch()))
        }
        for (const replay of replays) replay.take(1_000)
        await hosts.sim.advance(10_000)
        const entries = new Map(hosts.table('n0').entries())
        for (const { table, problems, synced } of replays) {
          expect(problems).toEqual([])
          expect(synced).toBe(1)
          expect(new Map([...table].sort())).toEqual(new Map([...entries].sort()))
        }
      }),
      { numRuns: 50 },
    )
  })

  it('tells of what changes while its snapshot is being taken, and nothing of that is lost', async () => {
    const hosts = await Hosts.joined(1, 1)
    const table = hosts.table('n0')
    for (const key of ['a', 'b', 'c']) table.set(key, '1')
    const watch = table.watch()
    const next = async (): Promise<unknown> => (await hosts.sim.settled(watch.next())).value
    expect(await next()).toEqual({ type: 'set', key: 'a', value: '1', owner: 'n0' })
    table.set('a', '2')
    table.delete('b')
    table.set('d', '1')
    expect(await next()).toEqual({ type: 'set', key: 'c', value: '1', owner: 'n0' })
    expect(await next()).toEqual({ type: 'synced' })
    expect(await next()).toEqual({
      type: 'set',
      key: 'a',
      value: '2',
      owner: 'n0',
      previous: { value: '1', owner: 'n0' },
    })
    expect(await next()).toEqual({ type: 'set', key: 'd', value: '1', owner: 'n0' })
  })

  it('serves those who ask several times at once in their order', async () => {
    const hosts = await Hosts.joined(1, 2)
    const table = hosts.table('n0')
    const watch = table.watch()
    const asked = Promise.all([watch.next(), watch.next(), watch.next(), watch.next()])
    for (const key of ['a', 'b', 'c']) table.set(key, '1')
    const given = await hosts.sim.settled(asked)
    expect(given.map(({ value }) => value.key ?? value.type)).toEqual(['synced', 'a', 'b', 'c'])
  })

  it('ends for one watcher without ending for others', async () => {
    const hosts = await Hosts.joined(1, 3)
    const table = hosts.table('n0')
    const controller = new AbortController()
    const aborted = table.watch({ signal: controller.signal })
    const returned = table.watch()
    const broken: string[] = []
    const breaking = (async () => {
      for await (const { type } of table.watch()) {
        broken.push(type)
        if (type === 'set') break
      }
    })()
    const kept = hosts.watch('n0')
    const pending = [aborted.next(), aborted.next(), returned.next(), returned.next()]
    await hosts.sim.advance(1)
    controller.abort()
    await returned.return?.()
    const ends = await hosts.sim.settled(Promise.all(pending))
    expect(ends.map(({ done }) => done)).toEqual([false, true, false, true])
    expect(await hosts.sim.settled(aborted.next())).toEqual({ done: true, value: undefined })
    table.set('a', '1')
    await hosts.sim.settled(breaking)
    table.set('a', '2')
    await hosts.sim.advance(1)
    expect(broken).toEqual(['synced', 'set'])
    expect(kept.map(({ type }) => type)).toEqual(['synced', 'set', 'set'])
    const never = table.watch({ signal: AbortSignal.abort() })
    expect(await never.next()).toEqual({ done: true, value: undefined })
  })

  it('costs one decoding of each entry, however many watches there are', async () => {
    let decoded = 0
    const codec: Codec<string> = {
      encode: (text) => new TextEncoder().encode(text),
      decode: (bytes) => {
        decoded++
        return new TextDecoder().decode(bytes)
      },
    }
    const hosts = await Hosts.joined(1, 4)
    const table = hosts.node('n0').network('blue').table<string>('counted', codec)
    const told = Array.from({ length: 20 }, () => {
      const changes: Change<string>[] = []
      void (async () => {
        for await (const change of table.watch()) changes.push(change)
      })()
      return changes
    })
    for (let i = 0; i < 100; i++) {
      table.set(`k${i % 10}`, String(i))
      await hosts.sim.advance(1)
    }
    expect(told.every((changes) => changes.length === 101)).toBe(true)
    expect(decoded).toBe(100)
  })

  it('is told of everything but what cannot be decoded, which is reported, and is nowhere shown', async () => {
    const hosts = await Hosts.joined(2, 5)
    const warnings: HearsayWarning[] = []
    hosts.node('n0').on('warning', (warning) => warnings.push(warning))
    const raw: Codec<string> = {
      encode: (text) => new TextEncoder().encode(text),
      decode: (bytes) => new TextDecoder().decode(bytes),
    }
    const theirs = hosts.node('n1').network('blue').table<string>('t', raw)
    const changes = hosts.watch('n0')
    theirs.set('a', '"fine"')
    theirs.set('b', '"fine"')
    await hosts.sim.advance(2_000)
    theirs.set('a', 'no JSON')
    theirs.set('never', 'no JSON')
    theirs.set('c', '"fine"')
    await hosts.sim.advance(2_000)
    const table = hosts.table('n0')
    expect(hosts.shown('n0')).toEqual({ b: 'fine of n1', c: 'fine of n1' })
    expect(table.get('a')).toBeUndefined()
    expect(table.claims('a')).toEqual([])
    table.set('never', 'mine')
    expect(table.claims('never')).toEqual([{ value: 'mine', owner: 'n0', hidden: false }])
    theirs.set('a', '"fine again"')
    await hosts.sim.advance(2_000)
    expect(
      changes
        .map((change) => ('key' in change ? `${change.type} ${change.key}` : change.type))
        .slice(3)
        .sort(),
    ).toEqual(['delete a', 'set a', 'set c', 'set never'])
    expect(warnings[0]).toMatchObject({
      code: 'WARN_UNDECODABLE_ENTRY',
      message: expect.stringMatching(/Entry '(a|never)' of n1 in table 't' of network 'blue'/),
      cause: expect.any(SyntaxError),
    })
  })
})
