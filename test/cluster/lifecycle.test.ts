import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { FAST, sleep, start, startCluster, until, warningsOf } from './nodes.ts'

describe('a node', () => {
  it('leaves nothing behind that keeps the process alive', async () => {
    const script = `
      import { Cluster } from './src/index.ts'
      const options = { bind: '127.0.0.1:0', insecure: true }
      const a = await Cluster.start({ ...options, name: 'a' })
      const b = await Cluster.start({ ...options, name: 'b', seeds: [a.self.address] })
      const blue = await b.joinNetwork('blue')
      blue.table('t').set('k', 1)
      await b.leave()
      await a.close()
      console.log('closed')
    `
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
    let output = ''
    child.stdout.on('data', (data) => (output += String(data)))
    child.stderr.on('data', (data) => (output += String(data)))
    const exit = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)))
    // The process ends by itself: nobody calls process.exit.
    expect(await exit, output).toBe(0)
    expect(output).toContain('closed')
  })

  it('closes once, however often it is asked, and settles closed', async () => {
    const node = await start({ name: 'a' })
    expect(node.close()).toBe(node.close())
    await Promise.all([node.close(), node.leave(), node[Symbol.asyncDispose](), node.closed])
  })

  it('leaves at once when nobody is there to hear what it has to say', async () => {
    const [a, b] = await startCluster(2, { leaveTimeoutMs: 60_000 })
    const alone = await a!.joinNetwork('mine')
    alone.table('t').set('k', 1)
    await until(() => a!.metrics()['members.queue'] === 0)
    const early = new Promise<string>((resolve) => setTimeout(() => resolve('still leaving'), 10_000))
    const left = a!.leave().then(() => 'left')
    expect(await Promise.race([left, early])).toBe('left')
    await until(() => b!.member('n0')?.status === 'left')
  })

  it('frees its port at once', async () => {
    const node = await start({ name: 'a' })
    const { address } = node.self
    await node.close()
    const again = await start({ name: 'a', bind: address })
    expect(again.self.address).toBe(address)
  })

  it('may be called from its own listeners, which may throw', async () => {
    const node = await start({ name: 'a' })
    const warnings = warningsOf(node)
    const seen: string[] = []
    node.on('member-up', () => {
      throw new Error('a fault of the application')
    })
    node.on('member-up', ({ name }) => {
      node.setMetadata(Uint8Array.of(1))
      seen.push(`${name} of ${node.members().length}`)
    })
    await start({ name: 'b', seeds: [node.self.address] })
    await until(() => warnings.length > 0 && seen.length > 0)
    expect(seen).toEqual(['b of 2'])
    expect(warnings[0]!.code).toBe('WARN_LISTENER_FAILED')
  })

  it('tells a listener no more once it is taken off', async () => {
    const node = await start({ name: 'a' })
    const seen: string[] = []
    const listener = ({ name }: { name: string }): void => void seen.push(name)
    node.on('member-up', listener)
    await start({ name: 'b', seeds: [node.self.address] })
    await until(() => seen.length === 1)
    node.off('member-up', listener)
    await start({ name: 'c', seeds: [node.self.address] })
    await until(() => node.members().length === 3)
    expect(seen).toEqual(['b'])
  })

  it('warns when no seed answers, and starts all the same', async () => {
    const first = await start({ name: 'gone' })
    const { address } = first.self
    await first.close()
    const node = await start({ name: 'a', seeds: [address] })
    const warnings = warningsOf(node)
    await until(() => warnings.some(({ code }) => code === 'WARN_NO_SEED_ANSWERED'))
    expect(node.members()).toHaveLength(1)
  })

  it('counts what it does', async () => {
    const nodes = await startCluster(3)
    await until(() => nodes[0]!.metrics()['probe.direct']! >= 2, 10 * FAST.probeIntervalMs)
    const metrics = nodes[0]!.metrics()
    expect(metrics['members.live']).toBe(3)
    expect(metrics['traffic.packetsOut']).toBeGreaterThan(2)
    expect(Object.values(metrics).every((value) => Number.isFinite(value))).toBe(true)
  })
})

describe('seeds', () => {
  it('may come from a function that fails: the node starts and warns', async () => {
    const node = await start({ name: 'a', seeds: () => Promise.reject(new Error('no DNS')) })
    const warnings = warningsOf(node)
    await until(() => warnings.some(({ code }) => code === 'WARN_NO_SEED_ANSWERED'))
  })

  it('may name the node itself alone: nobody is missing', async () => {
    const first = await start({ name: 'a' })
    const { address } = first.self
    await first.close()
    const node = await start({ name: 'a', bind: address, seeds: [address] })
    const warnings = warningsOf(node)
    await sleep(100)
    expect(warnings).toEqual([])
  })
})
