import { describe, expect, it } from 'vitest'
import { Cluster } from '../../src/index.ts'
import { alive, FAST, sleep, start, startCluster, statusOf, until, warningsOf } from './nodes.ts'

describe('members of a cluster over real sockets', () => {
  it('know each other after joining through one seed', async () => {
    const nodes = await startCluster(8)
    for (const node of nodes) expect(alive(node)).toEqual(nodes.map(({ self }) => self.name).sort())
  })

  it('find each other when a later join connects two clusters', async () => {
    const a = await start({ name: 'a' })
    const b = await start({ name: 'b' })
    expect(await a.join([b.self.address])).toBe(1)
    await until(() => alive(a).length === 2 && alive(b).length === 2)
  })

  it('find a seed that starts later than they', async () => {
    const first = await start({ name: 'first' })
    const { address } = first.self
    await first.close()
    const early = await start({ name: 'early', seeds: [address] })
    const late = await start({ name: 'late', bind: address })
    await until(() => alive(early).length === 2 && alive(late).length === 2)
  })

  it('ask a seeds function anew at every try', async () => {
    const seed = await start({ name: 'seed' })
    let asked = 0
    const node = await start({ name: 'node', seeds: () => (++asked < 3 ? [] : [seed.self.address]) })
    await until(() => alive(node).length === 2)
    expect(asked).toBe(3)
  })

  it('hold a crashed one failed, all of them, and tell so', async () => {
    const nodes = await startCluster(5)
    const failed: string[] = []
    nodes[0]!.on('member-failed', ({ name }) => failed.push(name))
    await nodes[4]!.close()
    const survivors = nodes.slice(0, 4)
    await until(() => survivors.every((node) => statusOf(node, 'n4') === 'failed'))
    await until(() => failed.length > 0)
    expect(failed).toEqual(['n4'])
    for (const node of survivors) expect(alive(node)).toEqual(['n0', 'n1', 'n2', 'n3'])
  })

  it('hold the other one of two failed when it crashes', async () => {
    const [a, b] = await startCluster(2)
    await b!.close()
    await until(() => statusOf(a!, 'n1') === 'failed')
    expect(a!.isolated).toBe(true)
  })

  it('hear of one that leaves as left, never as failed', async () => {
    const nodes = await startCluster(4)
    const told: string[] = []
    for (const event of ['member-failed', 'member-suspect', 'member-left'] as const) {
      nodes[0]!.on(event, ({ name }) => told.push(`${event} ${name}`))
    }
    await nodes[3]!.leave()
    await until(() => nodes.slice(0, 3).every((node) => statusOf(node, 'n3') === 'left'))
    await sleep(5 * FAST.probeIntervalMs)
    expect(told).toEqual(['member-left n3'])
  })

  it('take one that has left back at once', async () => {
    const nodes = await startCluster(3)
    await nodes[2]!.leave()
    await until(() => statusOf(nodes[0]!, 'n2') === 'left')
    const again = await start({ name: 'n2', seeds: [nodes[0]!.self.address] })
    await until(() => [nodes[0]!, nodes[1]!, again].every((node) => alive(node).length === 3))
  })

  it('take a restarted one back, at the same address and at another', async () => {
    const nodes = await startCluster(3)
    const { address } = nodes[2]!.self
    await nodes[2]!.close()
    const same = await start({ name: 'n2', bind: address, seeds: [nodes[0]!.self.address] })
    await until(() => [nodes[0]!, nodes[1]!, same].every((node) => alive(node).length === 3))
    await same.close()
    const moved = await start({ name: 'n2', seeds: [nodes[0]!.self.address] })
    await until(() => alive(moved).length === 3)
    await until(() => nodes.slice(0, 2).every((node) => node.member('n2')?.address === moved.self.address))
    await until(() => nodes.slice(0, 2).every((node) => statusOf(node, 'n2') === 'alive'))
  })

  it('refuse a second live process of one name, and stay undisturbed', async () => {
    const nodes = await startCluster(3)
    const impostor = Cluster.start({
      ...FAST,
      name: 'n1',
      bind: '127.0.0.1:0',
      insecure: true,
      seeds: [nodes[0]!.self.address],
    })
    // Without the key it hears nobody and is alone.
    await (await impostor).close()
    await expect(start({ name: 'n1', seeds: [nodes[0]!.self.address] })).rejects.toMatchObject({
      code: 'ERR_NAME_CONFLICT',
    })
    for (const node of nodes) expect(node.member('n1')!.address).toBe(nodes[1]!.self.address)
  })

  it('see changed metadata', async () => {
    const nodes = await startCluster(3)
    const updated: string[] = []
    nodes[0]!.on('member-updated', ({ name, metadata }) => updated.push(`${name} ${metadata.join()}`))
    nodes[2]!.setMetadata(Uint8Array.of(7, 8))
    await until(() => nodes.every((node) => node.member('n2')!.metadata.join() === '7,8'))
    await until(() => updated.length > 0)
    expect(updated).toEqual(['n2 7,8'])
  })

  it('talk over IPv6 as well', async () => {
    const a = await start({ name: 'a', bind: '[::1]:0' })
    const b = await start({ name: 'b', bind: '[::1]:0', seeds: [a.self.address] })
    await until(() => alive(a).length === 2 && alive(b).length === 2)
    expect(b.self.address).toMatch(/^\[::1\]:\d+$/)
  })

  it('hear nobody of another key or another label, and say that traffic was dropped', async () => {
    const a = await start({ name: 'a' })
    const dropped = warningsOf(a)
    const stranger = await start({ name: 'b', label: 'other', seeds: [a.self.address], joinTimeoutMs: 300 })
    await until(() => dropped.length > 0)
    expect(dropped[0]!.code).toBe('WARN_TRAFFIC_DROPPED')
    expect(alive(a)).toEqual(['a'])
    expect(alive(stranger)).toEqual(['b'])
  })
})
