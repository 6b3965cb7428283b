import { describe, expect, it } from 'vitest'
import type { Change, Cluster, Table } from '../../src/index.ts'
import { collect, sleep, start, startCluster, until } from './nodes.ts'

interface Peer {
  readonly ip: string
}

async function tables(nodes: readonly Cluster[], network = 'blue'): Promise<Table<Peer>[]> {
  const joined = await Promise.all(nodes.map((node) => node.joinNetwork(network)))
  await until(() => joined.every((one) => one.participants().length === nodes.length))
  return joined.map((one) => one.table<Peer>('peers'))
}

function contents(table: Table<Peer>): Record<string, string> {
  const entries = [...table.entries()].map(
    ([key, { value, owner }]) => [key, `${value.ip} of ${owner}`] as const,
  )
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('the state of a network over real sockets', () => {
  it('reaches every participant', async () => {
    const all = await tables(await startCluster(5))
    all[1]!.set('x', { ip: '10.0.0.1' })
    all[2]!.set('y', { ip: '10.0.0.2' })
    await until(() => all.every((table) => Object.keys(contents(table)).length === 2))
    for (const table of all) expect(contents(table)).toEqual({ x: '10.0.0.1 of n1', y: '10.0.0.2 of n2' })
    expect(all[1]!.delete('x')).toBe(true)
    expect(all[1]!.delete('x')).toBe(false)
    await until(() => all.every((table) => table.get('x') === undefined))
  })

  it('reaches nobody who has not joined', async () => {
    const nodes = await startCluster(3)
    const [a, b] = await tables(nodes.slice(0, 2))
    a!.set('x', { ip: '10.0.0.1' })
    await until(() => b!.get('x') !== undefined)
    await sleep(300)
    const metrics = nodes[2]!.metrics()
    expect(metrics['entries.applied']).toBeLessThanOrEqual(2) // who takes part in `blue`
    expect(() => nodes[2]!.network('blue')).toThrowError(
      expect.objectContaining({ code: 'ERR_NETWORK_NOT_JOINED' }),
    )
  })

  it('is there for whoever joins late, once joinNetwork resolves', async () => {
    const nodes = await startCluster(3)
    const [a, b] = await tables(nodes.slice(0, 2))
    for (let i = 0; i < 200; i++) a!.set(`k${i}`, { ip: `10.0.0.${i}` })
    a!.delete('k0')
    await until(() => Object.keys(contents(b!)).length === 199)
    const late = await nodes[2]!.joinNetwork('blue')
    expect(late.synced).toBe(true)
    expect(Object.keys(contents(late.table<Peer>('peers')))).toHaveLength(199)
  })

  it('gives a contested key to the latest claim everywhere, and back when that is given up', async () => {
    const all = await tables(await startCluster(4))
    all[1]!.set('vip', { ip: 'first' })
    await until(() => all.every((table) => table.get('vip') !== undefined))
    all[2]!.set('vip', { ip: 'second' })
    await until(() => all.every((table) => table.get('vip')?.owner === 'n2'))
    expect(all[0]!.claims('vip').map(({ owner }) => owner)).toEqual(['n2', 'n1'])
    expect(all[1]!.delete('vip')).toBe(true)
    await sleep(200)
    expect(all.map((table) => table.get('vip')?.owner)).toEqual(['n2', 'n2', 'n2', 'n2'])
    all[1]!.set('vip', { ip: 'again' })
    await until(() => all.every((table) => table.get('vip')?.owner === 'n1'))
    all[1]!.delete('vip')
    await until(() => all.every((table) => table.get('vip')?.owner === 'n2'))
  })

  it('hides the entries of an owner that leaves or crashes, and says why', async () => {
    const nodes = await startCluster(4)
    const all = await tables(nodes)
    all[2]!.set('leaver', { ip: '1' })
    all[3]!.set('crasher', { ip: '2' })
    await until(() => all.every((table) => Object.keys(contents(table)).length === 2))
    const changes = collect(all[0]!.watch())
    await nodes[3]!.close()
    await until(() => changes.some((change) => change.type === 'delete' && change.reason === 'failed'))
    await nodes[2]!.leave()
    await until(() => changes.some((change) => change.type === 'delete' && change.reason === 'left'))
    expect(contents(all[0]!)).toEqual({})
    expect(all[0]!.claims('crasher')).toEqual([{ value: { ip: '2' }, owner: 'n3', hidden: true }])
  })

  it('loses the entries of a participant that leaves the network but stays a member', async () => {
    const nodes = await startCluster(3)
    const all = await tables(nodes)
    all[2]!.set('x', { ip: '1' })
    await until(() => all.every((table) => table.get('x') !== undefined))
    const changes = collect(all[0]!.watch())
    await until(() => changes.length === 2)
    await nodes[2]!.network('blue').leave()
    await until(() => changes.length === 3)
    expect(changes[2]).toMatchObject({ type: 'delete', key: 'x', reason: 'left' })
    expect(nodes[0]!.network('blue').participants()).toEqual(['n0', 'n1'])
    const rejoined = await nodes[2]!.joinNetwork('blue')
    rejoined.table<Peer>('peers').set('y', { ip: '2' })
    await until(() => all[0]!.get('y') !== undefined)
    expect(all[0]!.get('x')).toBeUndefined()
  })

  it('is there for whoever joins before the news of its first participant came', async () => {
    const nodes = await startCluster(3)
    const first = await nodes[0]!.joinNetwork('blue')
    first.table<Peer>('peers').set('x', { ip: '1' })
    const second = await nodes[1]!.joinNetwork('blue')
    expect(second.table<Peer>('peers').get('x')).toEqual({ value: { ip: '1' }, owner: 'n0' })
  })

  it('is taken over by everyone who joins it at the same moment', async () => {
    const nodes = await startCluster(6)
    const joined = await Promise.all(nodes.map((node) => node.joinNetwork('blue')))
    for (const [i, network] of joined.entries()) network.table<Peer>('peers').set(`k${i}`, { ip: String(i) })
    await until(() => joined.every((network) => [...network.table('peers').entries()].length === 6))
  })

  it('is as it was for others when a participant leaves and joins again in one breath', async () => {
    const nodes = await startCluster(3)
    const [watcher, , owner] = await tables(nodes)
    owner!.set('x', { ip: 'before' })
    await until(() => watcher!.get('x') !== undefined)
    for (let round = 0; round < 5; round++) {
      await nodes[2]!.network('blue').leave()
      const again = await nodes[2]!.joinNetwork('blue')
      again.table<Peer>('peers').replaceOwn([['x', { ip: String(round) }]])
    }
    await until(() => watcher!.get('x')?.value.ip === '4')
    await sleep(1_000)
    expect(contents(watcher!)).toEqual({ x: '4 of n2' })
    expect(nodes[0]!.network('blue').participants()).toEqual(['n0', 'n1', 'n2'])
  })

  it('keeps tables apart, and networks', async () => {
    const nodes = await startCluster(2)
    const blue = await tables(nodes, 'blue')
    const red = await tables(nodes, 'red')
    blue[0]!.set('x', { ip: 'blue' })
    red[0]!.set('x', { ip: 'red' })
    nodes[0]!.network('blue').table<Peer>('others').set('x', { ip: 'others' })
    await until(() => blue[1]!.get('x') !== undefined && red[1]!.get('x') !== undefined)
    expect(blue[1]!.get('x')!.value.ip).toBe('blue')
    expect(red[1]!.get('x')!.value.ip).toBe('red')
  })
})

describe('replaceOwn', () => {
  it('makes what this node owns equal to the set, as a diff, and leaves others alone', async () => {
    const all = await tables(await startCluster(2))
    all[1]!.set('theirs', { ip: '0' })
    all[0]!.replaceOwn([
      ['a', { ip: '1' }],
      ['b', { ip: '2' }],
    ])
    await until(() => Object.keys(contents(all[1]!)).length === 3)
    const changes = collect(all[1]!.watch())
    await until(() => changes.at(-1)?.type === 'synced')
    const before = changes.length
    all[0]!.replaceOwn([
      ['b', { ip: '2' }],
      ['c', { ip: '3' }],
    ])
    await until(() => changes.length === before + 2)
    await sleep(100)
    expect(
      changes
        .slice(before)
        .map((change) => `${change.type} ${'key' in change ? change.key : ''}`)
        .sort(),
    ).toEqual(['delete a', 'set c'])
    expect(contents(all[1]!)).toEqual({ b: '2 of n0', c: '3 of n0', theirs: '0 of n1' })
  })
})

describe('watch', () => {
  it('gives the entries there are, then synced, then changes with what was there before', async () => {
    const all = await tables(await startCluster(2))
    all[0]!.set('a', { ip: '1' })
    await until(() => all[1]!.get('a') !== undefined)
    const changes = collect(all[1]!.watch())
    await until(() => changes.length === 2)
    all[0]!.set('a', { ip: '2' })
    await until(() => changes.length === 3)
    all[0]!.delete('a')
    await until(() => changes.length === 4)
    expect(changes).toEqual([
      { type: 'set', key: 'a', value: { ip: '1' }, owner: 'n0' },
      { type: 'synced' },
      {
        type: 'set',
        key: 'a',
        value: { ip: '2' },
        owner: 'n0',
        previous: { value: { ip: '1' }, owner: 'n0' },
      },
      { type: 'delete', key: 'a', previous: { value: { ip: '2' }, owner: 'n0' }, reason: 'deleted' },
    ])
  })

  it('merges what a slow consumer missed into the last state of each key', async () => {
    const [table] = await tables([await start({ name: 'n0' })])
    const watch = table!.watch()[Symbol.asyncIterator]()
    expect((await watch.next()).value).toEqual({ type: 'synced' })
    for (let i = 0; i <= 1000; i++) table!.set('hot', { ip: String(i) })
    table!.set('gone', { ip: '1' })
    table!.delete('gone')
    expect((await watch.next()).value).toEqual({
      type: 'set',
      key: 'hot',
      value: { ip: '1000' },
      owner: 'n0',
    })
    const next = watch.next()
    table!.set('hot', { ip: 'last' })
    expect((await next).value).toMatchObject({ type: 'set', key: 'hot', value: { ip: 'last' } })
  })

  it('ends quietly by signal, by break, and when the network is left', async () => {
    const node = await start({ name: 'n0' })
    const [table] = await tables([node])
    table!.set('a', { ip: '1' })
    const controller = new AbortController()
    const seen: Change<Peer>[] = []
    const aborted = (async () => {
      for await (const change of table!.watch({ signal: controller.signal })) seen.push(change)
    })()
    for await (const _ of table!.watch()) break
    await until(() => seen.length === 2)
    controller.abort()
    await aborted
    const left = collect(table!.watch())
    await until(() => left.length === 2)
    const iterator = table!.watch()
    await iterator.next()
    await iterator.next()
    const waiting = iterator.next()
    await node.network('blue').leave()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(left).toHaveLength(2)
  })

  it('passes over an entry that the codec cannot decode, and reports it', async () => {
    const nodes = await startCluster(2)
    const [a, b] = await Promise.all(nodes.map((node) => node.joinNetwork('blue')))
    const warnings: string[] = []
    nodes[1]!.on('warning', ({ code }) => warnings.push(code))
    a!
      .table<Peer>('peers', { encode: () => Uint8Array.of(0xff), decode: () => ({ ip: '' }) })
      .set('bad', { ip: '' })
    const changes = collect(b!.table<Peer>('peers').watch())
    await until(() => warnings.length > 0)
    expect(warnings[0]).toBe('WARN_UNDECODABLE_ENTRY')
    expect(changes).toEqual([{ type: 'synced' }])
  })
})
