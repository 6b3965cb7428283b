import { describe, expect, it } from 'vitest'
import type { Change, Cluster } from '../../src/index.ts'
import { alive, collect, sleep, start, startCluster, until } from './nodes.ts'

interface Peer {
  readonly ip: string
}

const INHERIT_MS = 600

/** Three nodes in one network, of which the last owns `a` and `b`, and what the first sees of it. */
async function scene(): Promise<{ nodes: Cluster[]; changes: Change<Peer>[]; address: string }> {
  const nodes = await startCluster(3)
  const [watcher, , owner] = await Promise.all(nodes.map((node) => node.joinNetwork('blue')))
  owner!.table<Peer>('peers').replaceOwn([
    ['a', { ip: '1' }],
    ['b', { ip: '2' }],
  ])
  const changes = collect(watcher!.table<Peer>('peers').watch())
  await until(() => changes.filter(({ type }) => type === 'set').length === 2)
  return { nodes, changes, address: nodes[2]!.self.address }
}

describe('an owner that restarts', () => {
  it('tears nothing down when it is back before it was missed and declares the same set', async () => {
    const { nodes, changes, address } = await scene()
    const before = changes.length
    await nodes[2]!.close()
    const again = await start({
      name: 'n2',
      bind: address,
      seeds: [nodes[0]!.self.address],
      inheritMs: INHERIT_MS,
    })
    const blue = await again.joinNetwork('blue')
    const peers = blue.table<Peer>('peers')
    expect([...peers.entries()].map(([key, { owner }]) => `${key} of ${owner}`).sort()).toEqual([
      'a of n2',
      'b of n2',
    ])
    peers.replaceOwn([
      ['a', { ip: '1' }],
      ['b', { ip: '2' }],
    ])
    await sleep(3 * INHERIT_MS)
    expect(changes.slice(before)).toEqual([])
    peers.set('c', { ip: '3' })
    await until(() => changes.length > before)
    expect(changes.slice(before)).toEqual([{ type: 'set', key: 'c', value: { ip: '3' }, owner: 'n2' }])
  })

  it('loses what it does not declare anew, after a time and not before', async () => {
    const { nodes, changes, address } = await scene()
    const before = changes.length
    await nodes[2]!.close()
    const again = await start({
      name: 'n2',
      bind: address,
      seeds: [nodes[0]!.self.address],
      inheritMs: INHERIT_MS,
    })
    const blue = await again.joinNetwork('blue')
    blue.table<Peer>('peers').set('a', { ip: '1' })
    await until(() => changes.length > before)
    await sleep(INHERIT_MS)
    expect(changes.slice(before)).toMatchObject([{ type: 'delete', key: 'b', reason: 'deleted' }])
  })

  it('loses everything in a network that it does not join again', async () => {
    const { nodes, changes, address } = await scene()
    const before = changes.length
    await nodes[2]!.close()
    const again = await start({
      name: 'n2',
      bind: address,
      seeds: [nodes[0]!.self.address],
      inheritMs: INHERIT_MS,
    })
    await until(() => changes.length === before + 2)
    expect(changes.slice(before).map(({ type }) => type)).toEqual(['delete', 'delete'])
    expect(alive(again)).toHaveLength(3)
    expect(nodes[0]!.network('blue').participants()).toEqual(['n0', 'n1'])
  })

  it('starts cold when it inherits nothing by option', async () => {
    const { nodes, changes, address } = await scene()
    await nodes[2]!.close()
    const again = await start({ name: 'n2', bind: address, seeds: [nodes[0]!.self.address], inheritMs: 0 })
    const blue = await again.joinNetwork('blue')
    expect([...blue.table<Peer>('peers').entries()]).toEqual([])
    await until(() => changes.filter(({ type }) => type === 'delete').length === 2)
  })

  it('gets back what was withdrawn while it was held failed', async () => {
    const { nodes, changes, address } = await scene()
    await nodes[2]!.close()
    await until(() => changes.filter(({ type }) => type === 'delete').length === 2)
    const again = await start({
      name: 'n2',
      bind: address,
      seeds: [nodes[0]!.self.address],
      inheritMs: INHERIT_MS,
    })
    const blue = await again.joinNetwork('blue')
    blue.table<Peer>('peers').replaceOwn([['a', { ip: 'new' }]])
    await until(() => changes.some((change) => change.type === 'set' && change.value.ip === 'new'))
  })
})
