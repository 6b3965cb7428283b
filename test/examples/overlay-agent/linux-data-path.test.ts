import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../../examples/lab/lab.ts'
import type { DataPath } from '../../../examples/overlay-agent/data-path.ts'
import { removeLeftovers } from '../../../examples/overlay-agent/leftovers.ts'
import { openLinuxDataPath } from '../../../examples/overlay-agent/linux-data-path.ts'
import { iproute2, type Run } from '../../../src/agent/node-commands.ts'
import { describeOnKernel } from '../../namespaces/requirements.ts'
import { rowsTo, sorted } from './agents.ts'

const ROWS = rowsTo('10.77.0.2', '02:42:00:00:00:02', ['10.42.0.2'])

describeOnKernel('the data path of a network', () => {
  let lab: Lab
  let host: LabHost
  let run: Run

  const open = (ownsBridge: boolean, bridge = ownsBridge ? 'br42' : 'br0'): DataPath =>
    openLinuxDataPath({ vni: 42, device: 'vx42', bridge, ownsBridge }, { vtep: host.vtep, port: 4789 }, run)
  const byHand = (line: string): Promise<string> => run('ip', line.split(' '))
  const links = async (): Promise<Record<string, { master?: string; flags: string[] }>> =>
    Object.fromEntries(
      JSON.parse(await byHand('-json link show')).map((link: { ifname: string }) => [link.ifname, link]),
    )

  beforeAll(() => {
    lab = Lab.build(1)
    host = lab.hosts[0] as LabHost
    run = iproute2(host.namespace)
  })
  beforeEach(async () => {
    await removeLeftovers(undefined, '/nonexistent', run)
  })
  afterAll(() => lab?.remove())

  it('makes a bridge where none is named, and removes it with the device', async () => {
    const { kernel, mtu } = open(true)
    expect(await kernel.dump()).toEqual([])
    expect(await links()).toMatchObject({
      br42: { flags: expect.arrayContaining(['UP']) },
      vx42: { master: 'br42' },
    })
    expect(await mtu()).toBe(1450)
    await kernel.apply({ put: ROWS, remove: [] })
    expect(sorted(await kernel.dump())).toEqual(ROWS)
    await kernel.remove()
    await kernel.remove()
    expect(Object.keys(await links())).not.toEqual(expect.arrayContaining(['br42']))
  })

  it('adopts device and bridge with their rows and ports', async () => {
    await open(true).kernel.dump()
    await open(true).kernel.apply({ put: ROWS, remove: [] })
    await byHand('link add v0 type veth peer name v1')
    await byHand('link set dev v0 master br42')
    expect(sorted(await open(true).kernel.dump())).toEqual(ROWS)
    expect(await links()).toMatchObject({ v0: { master: 'br42' } })
    await byHand('link del dev v0')
  })

  it('puts a bridge right that somebody has removed or taken down', async () => {
    const { kernel } = open(true)
    await kernel.dump()
    await byHand('link del dev br42')
    await kernel.dump()
    expect(await links()).toMatchObject({ vx42: { master: 'br42' } })
    await byHand('link set dev br42 down')
    await kernel.dump()
    expect(await links()).toMatchObject({ br42: { flags: expect.arrayContaining(['UP']) } })
  })

  it('neither takes nor removes a bridge that somebody else has made', async () => {
    await byHand('link add br42 type bridge')
    const { kernel } = open(true)
    await expect(kernel.dump()).rejects.toMatchObject({ code: 'ERR_DEVICE_FOREIGN' })
    await kernel.remove()
    expect(await links()).toHaveProperty('br42')
    await byHand('link del dev br42')
    await open(false).kernel.dump()
    await open(false).kernel.remove()
    expect(await links()).toHaveProperty('br0')
  })

  it('is removed without its agent too: all that carries our mark, what is kept, and nothing else', async () => {
    await open(true).kernel.dump()
    await byHand('link add br7 type bridge')
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
    const [state, socket, other] = ['overlay-agent.json', 'agent.sock', 'other'].map((name) =>
      join(directory, name),
    )
    for (const path of [state, socket, other] as string[]) writeFileSync(path, '')
    expect(await removeLeftovers(directory, socket as string, run)).toEqual([
      'removed device vx42',
      'removed device br42',
      `forgot what was kept in ${directory}`,
    ])
    expect([state, socket, other].map((path) => existsSync(path as string))).toEqual([false, false, true])
    expect(Object.keys(await links()).sort()).toEqual(expect.arrayContaining(['br0', 'br7', 'underlay']))
    expect(await links()).not.toHaveProperty('vx42')
    expect(await removeLeftovers(undefined, socket as string, run)).toEqual([])
    rmSync(directory, { recursive: true })
  })
})
