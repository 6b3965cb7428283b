import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { pause } from '../../../examples/shared/waiting.ts'
import { type OverlayRow, slotOf } from '../../../src/agent/overlay-rows.ts'
import { ip, mac } from '../../agent/arbitraries.ts'
import { Agents, eventually, type Host, rowsTo, sorted } from './agents.ts'

const IP = '10.42.0.1'
const IP6 = 'fd42::1'
const MAC = '02:42:0a:2a:00:01'
const OTHER_MAC = '02:42:0a:2a:00:09'
const VNI = { vni: 42 }

describe('the overlay agent', () => {
  const agents = new Agents()
  afterEach(() => agents.close())

  it('leads the kernels of the others to its endpoints by all their addresses, and none to its own', async () => {
    const h1 = await agents.start(1)
    const h2 = await agents.start(2)
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    const answer = await h1.agent.attach('blue', MAC, [IP, IP6])
    expect(answer).toEqual({
      network: 'blue',
      mac: MAC,
      ips: [IP, IP6],
      vtep: h1.vtep,
      bridge: 'br42',
      mtu: 1450,
    })
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP, IP6]))
    expect(agents.rows('h1')).toEqual([])
  })

  it('tells at once what has come, changed and gone', async () => {
    const h1 = await agents.start(1)
    const h2 = await agents.start(2)
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
    await h1.agent.attach('blue', MAC, [IP6])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP6]))
    expect(await h1.agent.detach('blue', MAC)).toEqual({ removed: true })
    await eventually(() => agents.rows('h2')).toEqual([])
    expect(await h1.agent.detach('blue', MAC)).toEqual({ removed: false })
  })

  it('keeps networks apart, with the same addresses in each', async () => {
    const h1 = await agents.start(1)
    const h2 = await agents.start(2)
    for (const { agent } of [h1, h2]) {
      await agent.join('blue', VNI)
      await agent.join('red', { vni: 43 })
    }
    await h1.agent.attach('blue', MAC, [IP])
    await h2.agent.attach('red', MAC, [IP])
    await eventually(() => agents.rows('h2', 'vx42')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
    await eventually(() => agents.rows('h1', 'vx43')).toEqual(rowsTo(h2.vtep, MAC, [IP]))
    expect([agents.rows('h1', 'vx42'), agents.rows('h2', 'vx43')]).toEqual([[], []])
  })

  it('that parts a network withdraws its endpoints and removes what it made for that one, and only that', async () => {
    const h1 = await agents.start(1)
    const h2 = await agents.start(2)
    for (const { agent } of [h1, h2]) {
      await agent.join('blue', VNI)
      await agent.join('red', { vni: 43 })
      await agent.attach('blue', agent === h1.agent ? MAC : OTHER_MAC, [])
      await agent.attach('red', agent === h1.agent ? MAC : OTHER_MAC, [])
    }
    await eventually(() => agents.rows('h1')).toHaveLength(2)
    await eventually(() => agents.rows('h2', 'vx43')).toHaveLength(2)
    expect(await h1.agent.part('blue')).toEqual({ removed: true })
    expect(agents.rows('h1')).toEqual([])
    await eventually(() => agents.rows('h2')).toEqual([])
    expect(agents.rows('h2', 'vx43')).toHaveLength(2)
    expect(h1.agent.networks().map(({ name }) => name)).toEqual(['red'])
    expect(await h1.agent.part('blue')).toEqual({ removed: false })
  })

  it('follows an endpoint to the host that claimed it last, whether the former one lets go or not', async () => {
    const hosts = [await agents.start(1), await agents.start(2), await agents.start(3)]
    const [h1, h2] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
    for (const { agent } of hosts) await agent.join('blue', VNI)
    const all = (): unknown[] => hosts.map(({ name }) => agents.rows(name))
    const [to1, to2] = [rowsTo(h1.vtep, MAC, [IP]), rowsTo(h2.vtep, MAC, [IP])]
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(all).toEqual([[], to1, to1])
    await h2.agent.attach('blue', MAC, [IP])
    await eventually(all).toEqual([to2, [], to2])
    expect(h1.agent.endpoints()).toEqual([
      { network: 'blue', ip: IP, mac: MAC, vtep: h2.vtep, owner: 'h2', local: true },
    ])
    // Without having let go, it says once more that it has it.
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(all).toEqual([[], to1, to1])
    await h2.agent.detach('blue', MAC)
    await eventually(all).toEqual([[], to1, to1])
  })

  it('follows an IP to another MAC on another host, and back when that one lets go', async () => {
    const hosts = [await agents.start(1), await agents.start(2), await agents.start(3)]
    const [h1, h2] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
    for (const { agent } of hosts) await agent.join('blue', VNI)
    const neighbours = (): unknown[] => agents.rows('h3').filter(({ table }) => table === 'neighbour')
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(neighbours).toEqual([{ table: 'neighbour', ip: IP, mac: MAC }])
    await h2.agent.attach('blue', OTHER_MAC, [IP])
    await eventually(neighbours).toEqual([{ table: 'neighbour', ip: IP, mac: OTHER_MAC }])
    await h2.agent.detach('blue', OTHER_MAC)
    await eventually(neighbours).toEqual([{ table: 'neighbour', ip: IP, mac: MAC }])
  })

  it('passes over what is no endpoint in the tables, and programs the rest', async () => {
    const h1 = await agents.start(1)
    const network = await h1.cluster.joinNetwork('blue')
    const stations = network.table<unknown>('stations')
    const addresses = network.table<unknown>('addresses')
    stations.set('02:42:00:00:00:07', { vtep: '10.77.0.1 port 53' })
    stations.set('02:42:00:00:00:08', 'nonsense')
    stations.set('x\nlink del dev eth0', { vtep: '10.77.0.1' })
    stations.set(MAC, { vtep: '10.77.0.1' })
    addresses.set('10.42.0.7 dev eth0', { mac: MAC })
    addresses.set('10.42.0.8', { mac: `${MAC}\n` })
    addresses.set(IP, { mac: MAC })
    const h2 = await agents.start(2)
    await h2.agent.join('blue', VNI)
    await eventually(() => agents.rows('h2')).toEqual(rowsTo('10.77.0.1', MAC, [IP]))
  })

  it('withdraws the endpoints of a host that has crashed, and brings them back with it', async () => {
    const [h2, h3, h1] = [await agents.start(2), await agents.start(3), await agents.start(1)]
    for (const { agent } of [h1, h2, h3]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
    await h1.cluster.close()
    await eventually(() => agents.rows('h2')).toEqual([])
    const back = await agents.start(1)
    await back.agent.join('blue', VNI)
    await back.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
  })

  it('withdraws nothing while it is the one that nobody answers', async () => {
    const [h1, h2] = [await agents.start(1), await agents.start(2)]
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
    await h1.cluster.close()
    const isFailed = (): boolean => h2.agent.status().members.some(({ status }) => status === 'failed')
    await eventually(isFailed).toBe(true)
    expect(h2.agent.status().isolated).toBe(true)
    // The kernel is put right meanwhile, and still by what was known last.
    const [first] = agents.rows('h2')
    agents.kernel('h2').tamper({ remove: first === undefined ? [] : [first] })
    await eventually(() => agents.rows('h2')).toEqual(rowsTo(h1.vtep, MAC, [IP]))
  })

  it('agrees with all others, and every kernel with that, after any attaches, detaches and moves', async () => {
    const hosts = [await agents.start(1), await agents.start(2), await agents.start(3)]
    for (const { agent } of hosts) await agent.join('blue', VNI)
    const step = fc.record({
      host: fc.constantFrom(...hosts),
      mac,
      ips: fc.option(fc.uniqueArray(ip, { maxLength: 3 }), { nil: undefined }),
      pauseMs: fc.constantFrom(0, 0, 0, 5, 30),
    })
    const seen = ({ agent }: Host): string[] =>
      agent
        .endpoints()
        .map(({ ip, mac, vtep, owner }) => JSON.stringify({ ip, mac, vtep, owner }))
        .sort()
    const expected = ({ agent, vtep }: Host): OverlayRow[] => {
      const elsewhere = agent.endpoints().filter((each) => each.vtep !== undefined && each.vtep !== vtep)
      const macs = new Map(elsewhere.map((each) => [each.mac, each.vtep as string]))
      const ipsOf = (mac: string): string[] =>
        elsewhere.flatMap((each) => (each.mac === mac && each.ip !== undefined ? [each.ip] : []))
      return sorted([...macs].flatMap(([mac, vtep]) => rowsTo(vtep, mac, ipsOf(mac))))
    }
    for (const steps of fc.sample(fc.array(step, { minLength: 30, maxLength: 60 }), {
      numRuns: 5,
      seed: 7,
    })) {
      for (const { host, mac, ips, pauseMs } of steps) {
        if (ips === undefined) await host.agent.detach('blue', mac)
        else await host.agent.attach('blue', mac, ips)
        if (pauseMs > 0) await pause(pauseMs)
      }
      // The last word on each MAC that is attached anywhere is that of a host where it is.
      await eventually(() => new Set(hosts.map((host) => seen(host).join())).size).toBe(1)
      for (const { network: _, mac, owner } of hosts[0]?.agent.endpoints() ?? []) {
        const station = hosts.find(({ name }) => name === owner)?.agent.endpoints()
        expect(station?.some((each) => each.mac === mac && each.local)).toBe(true)
      }
      await eventually(() => hosts.map(({ name }) => agents.rows(name))).toEqual(hosts.map(expected))
    }
  })

  it('goes down: withdraws everything everywhere, removes what it made, leaves, and takes no more', async () => {
    const [h1, h2] = [await agents.start(1), await agents.start(2)]
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await h2.agent.attach('blue', OTHER_MAC, [])
    await eventually(() => [agents.rows('h1').length, agents.rows('h2').length]).toEqual([2, 3])
    await Promise.all([h1.agent.down(), h1.agent.ended])
    expect(agents.rows('h1')).toEqual([])
    await eventually(() => agents.rows('h2')).toEqual([])
    expect(h2.cluster.member('h1')?.status).toBe('left')
    await expect(h1.agent.attach('blue', MAC, [IP])).rejects.toMatchObject({ code: 'ERR_ENDING' })
    await expect(h1.agent.join('red', { vni: 43 })).rejects.toMatchObject({ code: 'ERR_ENDING' })
  })

  it('joins a network again as it was, and refuses to join it otherwise', async () => {
    const { agent } = await agents.start(1)
    await agent.join('blue', VNI)
    expect(await agent.join('blue', VNI)).toMatchObject({
      name: 'blue',
      ...VNI,
      bridge: 'br42',
      device: 'vx42',
    })
    for (const spec of [{ vni: 43 }, { vni: 42, bridge: 'br0' }, { vni: 42, device: 'v1' }]) {
      await expect(agent.join('blue', spec)).rejects.toMatchObject({ code: 'ERR_CONFLICT', status: 409 })
    }
    expect(agent.networks()).toHaveLength(1)
  })

  it.each([
    ['VNI', { vni: 42, bridge: 'br1', device: 'v1' }],
    ['device', { vni: 43, device: 'vx42' }],
    ['bridge', { vni: 43, bridge: 'br42' }],
  ])('refuses a second network with the %s of the first', async (_, spec) => {
    const { agent } = await agents.start(1)
    await agent.join('blue', VNI)
    await expect(agent.join('red', spec)).rejects.toMatchObject({ code: 'ERR_CONFLICT' })
    expect(agent.networks().map(({ name }) => name)).toEqual(['blue'])
  })

  it('goes down as far as it can where the kernel refuses, and says what went wrong', async () => {
    const [h1, h2] = [await agents.start(1), await agents.start(2)]
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    await h1.agent.join('red', { vni: 43 })
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => agents.rows('h2')).toHaveLength(3)
    agents.kernel('h1', 'vx43').remove = () => Promise.reject(new Error('device is busy'))
    const down = h1.agent.down()
    await expect(down).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'device is busy' })
    await expect(h1.agent.ended).rejects.toMatchObject({ code: 'ERR_KERNEL' })
    await eventually(() => agents.rows('h2')).toEqual([])
    expect(h2.cluster.member('h1')?.status).toBe('left')
  })

  it('may be told again to part where the kernel refused', async () => {
    const { agent } = await agents.start(1)
    await agent.join('blue', VNI)
    const kernel = agents.kernel('h1')
    const remove = kernel.remove.bind(kernel)
    kernel.remove = () => Promise.reject(new Error('device is busy'))
    await expect(agent.part('blue')).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'device is busy' })
    kernel.remove = remove
    expect(await agent.part('blue')).toEqual({ removed: true })
    expect(agent.networks()).toEqual([])
  })

  it('names the members whose VNI is another, who would wait for each other in vain', async () => {
    const hosts = [await agents.start(1), await agents.start(2), await agents.start(3)]
    for (const [index, { agent }] of hosts.entries()) await agent.join('blue', { vni: index === 2 ? 43 : 42 })
    const strangers = (): unknown[] => hosts.map(({ agent }) => agent.networks()[0]?.strangers)
    await eventually(strangers).toEqual([['h3'], ['h3'], ['h1', 'h2']])
    await hosts[2]?.agent.part('blue')
    await hosts[2]?.agent.join('blue', VNI)
    await eventually(strangers).toEqual([[], [], []])
  })

  it('joins nothing where the device cannot be made, and says why', async () => {
    const { agent } = await agents.start(1)
    agents.kernel('h1').dump = () => Promise.reject(new Error('no device here has the VTEP address'))
    await expect(agent.join('blue', VNI)).rejects.toMatchObject({
      code: 'ERR_KERNEL',
      message: 'no device here has the VTEP address',
    })
    expect(agent.networks()).toEqual([])
    await expect(agent.attach('blue', MAC, [])).rejects.toMatchObject({
      code: 'ERR_NETWORK_NOT_JOINED',
      status: 404,
    })
  })

  it('says how things stand: members, networks, rows', async () => {
    const [h1, h2] = [await agents.start(1), await agents.start(2)]
    for (const { agent } of [h1, h2]) await agent.join('blue', VNI)
    await h1.agent.attach('blue', MAC, [IP])
    await eventually(() => h2.agent.networks()[0]?.kernel.settled && agents.rows('h2').length).toBe(3)
    expect(h2.agent.status()).toMatchObject({
      name: 'h2',
      address: h2.cluster.self.address,
      vtep: h2.vtep,
      isolated: false,
      members: [
        { name: 'h1', address: h1.cluster.self.address, status: 'alive' },
        { name: 'h2', address: h2.cluster.self.address, status: 'alive' },
      ],
      networks: [
        {
          name: 'blue',
          vni: 42,
          device: 'vx42',
          bridge: 'br42',
          mtu: 1450,
          state: 'ready',
          participants: ['h1', 'h2'],
          strangers: [],
          endpoints: 1,
          attached: 0,
          kernel: { settled: true, desired: 3, actual: 3, put: 3, removed: 0, failed: 0 },
        },
      ],
    })
    expect(agents.rows('h2').map(slotOf)).toHaveLength(3)
  })
})
