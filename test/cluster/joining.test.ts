import { describe, expect, it } from 'vitest'
import { type Cluster, HearsayError } from '../../src/index.ts'
import { alive, FAST, sleep, start, startCluster, statusOf, until, warningsOf } from './nodes.ts'

/** An address that is free, and where nobody answers. */
async function freeAddress(name: string): Promise<string> {
  const node = await start({ name })
  const { address } = node.self
  await node.close()
  return address
}

function codeOf(error: unknown): unknown {
  return error instanceof HearsayError ? error.code : error
}

describe('joining over real sockets', () => {
  it('tells how many of several addresses answered', async () => {
    const [a, b] = await startCluster(2)
    const dead = await freeAddress('dead')
    const node = await start({ name: 'node' })
    expect(await node.join([dead, a!.self.address, b!.self.address])).toBe(2)
    expect(alive(node)).toEqual(['n0', 'n1', 'node'])
  })

  it('rejects when nobody answers, and the node goes on', async () => {
    const dead = await freeAddress('dead')
    const node = await start({ name: 'node', joinTimeoutMs: 200 })
    expect(await node.join([dead]).catch(codeOf)).toBe('ERR_JOIN_FAILED')
    const other = await start({ name: 'other', seeds: [node.self.address] })
    await until(() => alive(node).length === 2 && alive(other).length === 2)
  })

  it('tries all addresses behind a name', async () => {
    const a = await start({ name: 'a', bind: '127.0.0.1:0' })
    const port = a.self.address.split(':').at(-1)
    const node = await start({ name: 'node', seeds: [`localhost:${port}`] })
    expect(alive(node)).toEqual(['a', 'node'])
  })

  it('chooses a port where it is to, and tells the one it chose', async () => {
    const a = await start({ name: 'a', bind: '127.0.0.1:0' })
    expect(a.self.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/)
  })

  it('tells the address that it is to advertise, apart from the one it is bound to', async () => {
    const port = (await freeAddress('port')).split(':').at(-1)
    const advertise = `127.0.0.5:${port}`
    const hidden = await start({ name: 'hidden', bind: `0.0.0.0:${port}`, advertise })
    const a = await start({ name: 'a', seeds: [`127.0.0.1:${port}`] })
    const b = await start({ name: 'b', seeds: [a.self.address] })
    await until(() => [hidden, a, b].every((node) => alive(node).length === 3))
    expect([a, b].map((node) => node.member('hidden')!.address)).toEqual([advertise, advertise])
    await sleep(5 * FAST.probeIntervalMs)
    expect([a, b].map((node) => statusOf(node, 'hidden'))).toEqual(['alive', 'alive'])
  })

  it('lets two clusters meet whose members find each other by a seeds function alone', async () => {
    const known: Cluster[] = []
    const seeds = (): string[] => known.map((node) => node.self.address)
    const a = await start({ name: 'a', seeds })
    const b = await start({ name: 'b', seeds: [a.self.address] })
    const x = await start({ name: 'x' })
    const y = await start({ name: 'y', seeds: [x.self.address] })
    await until(() => alive(a).length === 2 && alive(x).length === 2)
    known.push(a, b, x)
    await until(() => [a, b, x, y].every((node) => alive(node).length === 4))
  })
})

describe('a node that meets a later process of its own name', () => {
  it('rejects the join, writes no more, warns, and leaves the other one undisturbed', async () => {
    const low = await start({ name: 'twin' })
    const table = (await low.joinNetwork('blue')).table('t')
    table.set('before', 1)
    const warnings = warningsOf(low)
    const seed = await start({ name: 'seed' })
    const high = await start({ name: 'twin', seeds: [seed.self.address] })
    expect(await low.join([seed.self.address]).catch(codeOf)).toBe('ERR_NAME_CONFLICT')
    expect(() => table.set('after', 2)).toThrow(HearsayError)
    await until(() => warnings.length > 0)
    expect(warnings[0]!.code).toBe('WARN_NAME_CONFLICT')
    const { epoch, incarnation } = high.self
    await sleep(1_000)
    expect(seed.member('twin')).toMatchObject({
      address: high.self.address,
      status: 'alive',
      epoch,
      incarnation,
    })
  })
})
