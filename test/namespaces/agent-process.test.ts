import { afterEach, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import type { AgentProcess } from '../../examples/overlay-agent/agent-process.ts'
import { labStage, type Stage } from '../../examples/overlay-agent/stage.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import { generateKey } from '../../src/index.ts'
import { describeOnKernel } from './requirements.ts'

const PATIENCE = { timeout: 20_000 }

describeOnKernel('an agent process', () => {
  let lab: Lab
  let stage: Stage
  let h1: LabHost
  let h2: LabHost
  let run: Run

  const rowCount = async (host: LabHost): Promise<number> => (await stage.rows(host)).length
  const deviceIndex = async (): Promise<number> =>
    JSON.parse(await run('ip', ['-json', 'link', 'show', 'dev', 'vx42']))[0].ifindex
  const start = async (host: LabHost, seed?: string): Promise<AgentProcess> => {
    const agent = stage.start(host, seed)
    await expect.poll(() => agent.assertAlive() ?? agent.address, PATIENCE).toBeDefined()
    return agent
  }

  beforeEach(() => {
    lab = Lab.build(2)
    stage = labStage(lab, Buffer.from(generateKey()).toString('base64'), ['--audit-ms', '500'])
    ;[h1, h2] = lab.hosts as [LabHost, LabHost]
    run = iproute2(h1.namespace)
  })
  afterEach(() => {
    stage.killAgents()
    lab.remove()
  })

  it('that was killed leaves its kernel as it is, and the next one adopts device and rows in place', async () => {
    const first = await start(h1)
    await start(h2, first.address)
    await expect.poll(() => rowCount(h1), PATIENCE).toBe(3)
    const index = await deviceIndex()
    await first.crash()
    expect(await rowCount(h1)).toBe(3)

    const counts: number[] = []
    const watching = setInterval(async () => counts.push(await rowCount(h1)), 20)
    const second = await start(h1, '10.77.0.2:7946')
    await expect.poll(() => second.endpoints.size, PATIENCE).toBe(2)
    await expect.poll(() => stage.reach?.(h1, h2), PATIENCE).toBeGreaterThan(0)
    clearInterval(watching)
    expect(counts.length).toBeGreaterThan(0)
    expect(new Set(counts)).toEqual(new Set([3]))
    expect(await deviceIndex()).toBe(index)
  }, 60_000)

  it('that cannot reach any of its seeds leaves the rows alone that it finds', async () => {
    const first = await start(h1)
    const other = await start(h2, first.address)
    await expect.poll(() => rowCount(h1), PATIENCE).toBe(3)
    await Promise.all([first.crash(), other.crash()])
    const second = await start(h1, '10.77.0.2:7946')
    await expect.poll(() => second.problems, PATIENCE).toContainEqual(expect.stringContaining('seed'))
    expect(await rowCount(h1)).toBe(3)
    await start(h2, second.address)
    await expect.poll(() => second.endpoints.size, PATIENCE).toBe(2)
    await expect.poll(() => rowCount(h1), PATIENCE).toBe(3)
  }, 60_000)

  it('that is stopped removes its device, and is withdrawn from the other kernels', async () => {
    const first = await start(h1)
    await start(h2, first.address)
    await expect.poll(() => rowCount(h2), PATIENCE).toBe(3)
    await first.stop()
    await expect(deviceIndex()).rejects.toThrow('does not exist')
    await expect.poll(() => rowCount(h2), PATIENCE).toBe(0)
  }, 60_000)

  it('repairs rows that were changed under its hands, by its audit', async () => {
    const first = await start(h1)
    await start(h2, first.address)
    await expect.poll(() => rowCount(h1), PATIENCE).toBe(3)
    await run('bridge', [
      'fdb',
      'replace',
      h2.container.mac,
      'dev',
      'vx42',
      'dst',
      '10.77.0.9',
      'self',
      'permanent',
    ])
    await run('ip', ['neigh', 'del', h2.container.ip, 'dev', 'vx42'])
    await expect
      .poll(() => stage.rows(h1), PATIENCE)
      .toContainEqual({
        table: 'fdb',
        mac: h2.container.mac,
        vtep: h2.vtep,
      })
    expect(await rowCount(h1)).toBe(3)
  }, 60_000)
})
