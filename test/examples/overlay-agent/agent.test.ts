import { afterEach, describe, expect, it } from 'vitest'
import { OverlayAgent, type OverlayAgentOptions } from '../../../examples/overlay-agent/agent.ts'
import type { AgentEvent } from '../../../examples/overlay-agent/events.ts'
import { MemoryKernel } from '../../../src/agent/memory-kernel.ts'
import { type OverlayRow, overlayRules } from '../../../src/agent/overlay-rows.ts'
import { Cluster } from '../../../src/index.ts'

const IP = '10.42.0.1'
const MAC = '02:42:0a:2a:00:01'
const VTEP = '10.77.0.1'
const ROWS: OverlayRow[] = [
  { table: 'neighbour', ip: IP, mac: MAC },
  { table: 'fdb', mac: MAC, vtep: VTEP },
  { table: 'port', mac: MAC },
]
const LEFTOVER: OverlayRow = { table: 'fdb', mac: '02:42:00:00:00:99', vtep: '10.77.0.99' }

/** A cluster of real sockets on loopback, with remembered kernels. */
describe('the overlay agent', () => {
  const clusters: Cluster[] = []

  const join = async (name: string): Promise<Cluster> => {
    const seeds = clusters.slice(0, 1).map((cluster) => cluster.self.address)
    const cluster = await Cluster.start({
      name,
      bind: '127.0.0.1:0',
      seeds,
      insecure: true,
      profile: 'local',
    })
    clusters.push(cluster)
    return cluster
  }
  const start = async (
    cluster: Cluster,
    changed: Partial<OverlayAgentOptions> = {},
  ): Promise<OverlayAgent> => {
    const kernel = new MemoryKernel(overlayRules)
    return OverlayAgent.start({
      cluster,
      network: 'blue',
      vtep: VTEP,
      bridged: true,
      kernel,
      endpoints: [],
      ...changed,
    })
  }

  afterEach(() => Promise.all(clusters.splice(0).map((cluster) => cluster.close())))

  it('leads the kernels of the others to its containers, and to none of its own', async () => {
    const [kernel1, kernel2] = [new MemoryKernel(overlayRules), new MemoryKernel(overlayRules)]
    await start(await join('h1'), { kernel: kernel1, endpoints: [{ ip: IP, mac: MAC }] })
    await start(await join('h2'), { kernel: kernel2, vtep: '10.77.0.2' })
    await expect.poll(() => kernel2.rows()).toEqual(ROWS)
    expect(kernel1.rows()).toEqual([])
  })

  it('tells at once which containers have come and gone', async () => {
    const kernel = new MemoryKernel(overlayRules)
    const agent = await start(await join('h1'))
    await start(await join('h2'), { kernel, vtep: '10.77.0.2' })
    agent.setEndpoints([{ ip: IP, mac: MAC }])
    await expect.poll(() => kernel.rows()).toEqual(ROWS)
    agent.setEndpoints([])
    await expect.poll(() => kernel.rows()).toEqual([])
  })

  it('withdraws its containers when it stops, and removes what it made', async () => {
    const [kernel1, kernel2] = [new MemoryKernel(overlayRules), new MemoryKernel(overlayRules)]
    const agent1 = await start(await join('h1'), { kernel: kernel1, endpoints: [{ ip: IP, mac: MAC }] })
    const endpoints = [{ ip: '10.42.0.2', mac: '02:42:0a:2a:00:02' }]
    await start(await join('h2'), { kernel: kernel2, vtep: '10.77.0.2', endpoints })
    await expect.poll(() => [kernel1.rows().length, kernel2.rows().length]).toEqual([3, 3])
    await agent1.stop()
    expect(kernel1.rows()).toEqual([])
    await expect.poll(() => kernel2.rows()).toEqual([])
  })

  it('takes over the rows that it finds: keeps what is right, removes what belongs no more', async () => {
    const kernel = new MemoryKernel(overlayRules)
    await kernel.apply({ put: [...ROWS, LEFTOVER], remove: [] })
    const passes: AgentEvent[] = []
    await start(await join('h1'), { endpoints: [{ ip: IP, mac: MAC }] })
    const log = (event: AgentEvent): void => {
      if (event.event === 'kernel') passes.push(event)
    }
    await start(await join('h2'), { kernel, vtep: '10.77.0.2', log })
    await expect.poll(() => kernel.rows()).toEqual(ROWS)
    expect(passes).toMatchObject([{ put: 0, removed: 1 }])
  })

  it('passes over what is no endpoint in the table, and programs the rest', async () => {
    const kernel = new MemoryKernel(overlayRules)
    const cluster = await join('h1')
    const table = (await cluster.joinNetwork('blue')).table<unknown>('endpoints')
    table.set('10.42.0.7', { ip: '10.42.0.7 dev eth0', mac: MAC, vtep: VTEP })
    table.set('10.42.0.8', 'nonsense')
    table.set('10.42.0.9', { ip: '10.42.0.1', mac: MAC, vtep: VTEP })
    table.set(IP, { ip: IP, mac: MAC, vtep: VTEP })
    await start(await join('h2'), { kernel, vtep: '10.77.0.2' })
    await expect.poll(() => kernel.rows()).toEqual(ROWS)
  })

  it('follows a container to the host that claimed it last', async () => {
    const kernels = [1, 2, 3].map(() => new MemoryKernel(overlayRules))
    const agents: OverlayAgent[] = []
    for (const [index, kernel] of kernels.entries()) {
      agents.push(await start(await join(`h${index + 1}`), { kernel, vtep: `10.77.0.${index + 1}` }))
    }
    const vteps = (): unknown[] =>
      kernels.map((kernel) => kernel.rows().flatMap((row) => (row.table === 'fdb' ? [row.vtep] : [])))
    agents[0]?.setEndpoints([{ ip: IP, mac: MAC }])
    await expect.poll(vteps).toEqual([[], ['10.77.0.1'], ['10.77.0.1']])
    agents[1]?.setEndpoints([{ ip: IP, mac: MAC }])
    await expect.poll(vteps).toEqual([['10.77.0.2'], [], ['10.77.0.2']])
    agents[0]?.setEndpoints([])
    await expect.poll(vteps).toEqual([['10.77.0.2'], [], ['10.77.0.2']])
  })

  it('withdraws the containers of a host that has crashed, and brings them back with it', async () => {
    const kernel = new MemoryKernel(overlayRules)
    const endpoints = [{ ip: IP, mac: MAC }]
    await start(await join('h2'), { kernel, vtep: '10.77.0.2' })
    await start(await join('h3'), { vtep: '10.77.0.3' })
    const cluster = await join('h1')
    await start(cluster, { endpoints })
    await expect.poll(() => kernel.rows()).toEqual(ROWS)
    await cluster.close()
    await expect.poll(() => kernel.rows(), { timeout: 20_000 }).toEqual([])
    await start(await join('h1'), { endpoints })
    await expect.poll(() => kernel.rows(), { timeout: 20_000 }).toEqual(ROWS)
  })
})
