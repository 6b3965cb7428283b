import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AgentState, parseState, STATE_FILE_NAME } from '../../../examples/overlay-agent/agent-state.ts'
import { readState } from '../../../examples/shared/state-file.ts'
import type { OverlayRow } from '../../../src/agent/overlay-rows.ts'
import { Agents, eventually, type Host, rowsTo } from './agents.ts'

const IP = '10.42.0.1'
const MAC = '02:42:0a:2a:00:01'
const OTHER_MAC = '02:42:0a:2a:00:09'
const VNI = { vni: 42 }
const LEFTOVER: OverlayRow = { table: 'fdb', mac: '02:42:00:00:00:99', vtep: '10.77.0.99' }

describe('an overlay agent that is started again', () => {
  const agents = new Agents()
  let directory: string

  const restart = async (number: number, seeds?: readonly string[]): Promise<Host> => {
    const restored = await readState(directory, STATE_FILE_NAME, parseState)
    return agents.start(number, {
      stateDirectory: directory,
      ...(restored === undefined ? {} : { restored }),
      ...(seeds === undefined ? {} : { seeds }),
    })
  }
  const kept = (): AgentState => JSON.parse(readFileSync(join(directory, STATE_FILE_NAME), 'utf8'))

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
  })
  afterEach(async () => {
    await agents.close()
    rmSync(directory, { recursive: true })
  })

  it('knows its networks and endpoints as soon as each was confirmed, and declares them', async () => {
    const h2 = await agents.start(2)
    await h2.agent.join('blue', VNI)
    const h1 = await restart(1)
    await h1.agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await h1.agent.attach('blue', OTHER_MAC, [])
    await h1.agent.detach('blue', OTHER_MAC)
    expect(kept()).toEqual({
      version: 1,
      peers: [h2.cluster.self.address],
      networks: [{ name: 'blue', vni: 42, device: 'vx42', endpoints: [{ mac: MAC, ips: [IP] }] }],
    })
    await h1.agent.stop()
    const back = await restart(1)
    expect(back.agent.networks()).toMatchObject([{ name: 'blue', vni: 42, attached: 1 }])
    await eventually(() => back.agent.endpoints()).toEqual([
      { network: 'blue', ip: IP, mac: MAC, vtep: '10.77.0.1', owner: 'h1', local: true },
    ])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo('10.77.0.1', MAC, [IP]))
  })

  it('keeps the rows that are right, and removes what belongs no more', async () => {
    const [h2, h1] = [await agents.start(2), await agents.start(1)]
    for (const { agent } of [h2, h1]) await agent.join('blue', VNI)
    await h2.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h1')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    await h1.agent.stop()
    expect(agents.rows('h1')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    agents.kernel('h1').tamper({ put: [LEFTOVER] })
    const back = await agents.start(1)
    await back.agent.join('blue', VNI)
    await eventually(() => agents.rows('h1')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    const passes = back.log.filter(({ event }) => event === 'kernel')
    expect(passes).toMatchObject([{ put: 0, removed: 1 }])
  })

  it('keeps for a while what nobody has spoken of yet, for others may have been started anew as well', async () => {
    const h2 = await agents.start(2)
    await h2.agent.join('blue', VNI)
    const right = rowsTo(h2.vtep, MAC, [IP])
    agents.kernel('h1').tamper({ put: [...right, LEFTOVER] })
    const h1 = await agents.start(1, { holdMs: 2_000 })
    await h1.agent.join('blue', VNI)
    await eventually(() => h1.agent.networks()).toMatchObject([{ state: 'ready' }])
    await h2.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h1')).toEqual(right)
    const passes = h1.log.filter(({ event }) => event === 'kernel')
    expect(passes).toMatchObject([{ put: 0, removed: 1 }])
    await h2.agent.detach('blue', MAC)
    await eventually(() => agents.rows('h1')).toEqual([])
  })

  it('removes at once what was spoken of and then withdrawn, however long it keeps the rest', async () => {
    const h2 = await agents.start(2)
    await h2.agent.join('blue', VNI)
    agents.kernel('h1').tamper({ put: [...rowsTo(h2.vtep, MAC, [IP]), LEFTOVER] })
    const h1 = await agents.start(1, { holdMs: 3_600_000 })
    await h1.agent.join('blue', VNI)
    await h2.agent.attach('blue', MAC, [IP])
    await eventually(() => h1.agent.endpoints()).toHaveLength(1)
    await h2.agent.detach('blue', MAC)
    await eventually(() => agents.rows('h1')).toEqual([LEFTOVER])
  })

  it('tears nothing down while it reaches nobody, but for what its own endpoints contradict', async () => {
    const h2 = await agents.start(2)
    const seed = h2.cluster.self.address
    await h2.agent.stop()
    agents.kernel('h1').tamper({ put: [...rowsTo('10.77.0.2', MAC, [IP]), LEFTOVER] })
    const h1 = await restart(1, [seed])
    await h1.agent.join('blue', VNI)
    expect(h1.agent.networks()).toMatchObject([{ state: 'waiting', mtu: 1450 }])
    await h1.agent.attach('blue', MAC, [])
    await eventually(() => agents.rows('h1')).toEqual([LEFTOVER])
    expect(h1.agent.endpoints()).toEqual([
      { network: 'blue', mac: MAC, vtep: '10.77.0.1', owner: 'h1', local: true },
    ])
    const other = await agents.start(3, { seeds: [h1.cluster.self.address] })
    await other.agent.join('blue', VNI)
    await eventually(() => h1.agent.networks()).toMatchObject([{ state: 'ready' }])
    await eventually(() => agents.rows('h1')).toEqual([])
    await eventually(() => agents.rows('h3')).toEqual(rowsTo('10.77.0.1', MAC, []))
  })

  it('takes nothing back that was attached elsewhere meanwhile', async () => {
    const [h2, h3] = [await agents.start(2), await agents.start(3)]
    const h1 = await restart(1)
    for (const { agent } of [h1, h2, h3]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h3')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
    await h1.agent.stop()
    await h2.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h3')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    const back = await restart(1)
    await eventually(() => back.agent.networks()).toMatchObject([{ state: 'ready', attached: 1 }])
    await eventually(() => agents.rows('h1')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    expect(agents.rows('h3')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    expect(back.agent.endpoints()).toMatchObject([{ owner: 'h2', local: true }])
  })

  describe('when nobody can be asked at first, though its endpoint was attached elsewhere meanwhile', () => {
    /** h1 is back, and has not met anybody; MAC and IP are at h2. */
    const scene = async (): Promise<{ h1: Host; h2: Host }> => {
      const h2 = await agents.start(2)
      const before = await restart(1)
      for (const { agent } of [before, h2]) await agent.join('blue', VNI)
      await before.agent.attach('blue', MAC, [IP])
      await eventually(() => agents.rows('h2')).toEqual(rowsTo('10.77.0.1', MAC, [IP]))
      await before.agent.stop()
      await h2.agent.attach('blue', MAC, [IP])
      await eventually(() => agents.rows('h2')).toEqual([])
      const restored = { ...parseState(kept()), peers: [] }
      const h1 = await agents.start(1, { restored, seeds: ['127.0.0.1:1'] })
      expect(h1.agent.networks()).toMatchObject([{ state: 'waiting', attached: 1 }])
      return { h1, h2 }
    }
    const isReady = ({ agent }: Host): Promise<void> =>
      eventually(() => agent.networks()).toMatchObject([{ state: 'ready' }])

    it('takes nothing back, until the other one lets go', async () => {
      const { h1, h2 } = await scene()
      await isReady(h1)
      await eventually(() => agents.rows('h1')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
      expect(agents.rows('h2')).toEqual([])
      await h2.agent.detach('blue', MAC)
      await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
      await eventually(() => agents.rows('h1')).toEqual([])
    })

    it('does not take up what was detached here before the other one lets go', async () => {
      const { h1, h2 } = await scene()
      await isReady(h1)
      await h1.agent.detach('blue', MAC)
      await h2.agent.detach('blue', MAC)
      await eventually(() => h1.agent.endpoints()).toEqual([])
      await h1.agent.attach('blue', OTHER_MAC, [])
      await eventually(() => agents.rows('h2')).not.toEqual([])
      expect(agents.rows('h2')).toEqual(rowsTo(h1.vtep, OTHER_MAC, []))
    })

    it('has what is attached here anew before it meets them', async () => {
      const { h1 } = await scene()
      await h1.agent.attach('blue', MAC, [IP])
      await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
      expect(h1.agent.endpoints()).toMatchObject([{ owner: 'h1' }])
    })
  })

  it('remembers other members, so that it finds them without a seed', async () => {
    const h2 = await agents.start(2)
    await restart(1)
    await eventually(() => kept().peers).toEqual([h2.cluster.self.address])
  })

  it('knows nothing more once it has gone down', async () => {
    const h1 = await restart(1)
    await h1.agent.join('blue', VNI)
    await h1.agent.down()
    expect(await readState(directory, STATE_FILE_NAME, parseState)).toBeUndefined()
  })

  it.each([
    ['no JSON', '{"version": 1, "networks": [{'],
    ['no object', '7'],
    ['of another version', '{"version": 2}'],
    ['without networks', '{"version": 1, "peers": []}'],
    ['with a VNI that is none', networks({ vni: 0 })],
    ['with a device that is a command', networks({ device: 'vx42 type dummy' })],
    ['with a MAC that is none', networks({ endpoints: [{ mac: 'x', ips: [] }] })],
  ])('refuses a state that is %s, and names the file', async (_, text) => {
    const path = join(directory, STATE_FILE_NAME)
    writeFileSync(path, text)
    await expect(readState(directory, STATE_FILE_NAME, parseState)).rejects.toThrow(
      `the state file ${path} is damaged`,
    )
    expect(readFileSync(path, 'utf8')).toBe(text)
  })
})

function networks(changed: object): string {
  const network = { name: 'blue', vni: 42, device: 'vx42', endpoints: [], ...changed }
  return JSON.stringify({ version: 1, peers: [], networks: [network] })
}
