import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LabContainer, LabHost } from '../../examples/lab/lab.ts'
import { DEVICE, NETWORK, OverlayPlayground } from '../../examples/lab/overlay-playground.ts'
import { reach } from '../../examples/lab/reach.ts'
import { iproute2 } from '../../src/agent/index.ts'
import { actualRows, expectedRows } from '../soak/kernel-rows.ts'
import { Pings, transfer } from '../traffic.ts'
import { describeOnKernel } from './requirements.ts'

const PATIENCE = { timeout: 45_000, interval: 50 }
const REACH_MS = 3_000
const SILENCE_MS = 300

describeOnKernel('overlay agents on the real kernel', () => {
  let playground: OverlayPlayground
  let h1: LabHost
  let h2: LabHost
  let h3: LabHost
  let c1: LabContainer
  let c2: LabContainer
  let c3: LabContainer

  const attached = (): LabContainer[] =>
    playground.lab.containers.filter((container) => playground.isAttached(container))
  const actual = (): Promise<string[][]> =>
    Promise.all(playground.lab.hosts.map((host) => actualRows(host, DEVICE)))
  const expected = (containers: readonly LabContainer[]): string[][] =>
    playground.lab.hosts.map((host) => expectedRows(host, containers))
  /** Resolves once every kernel leads to all attached containers where they are, and to nothing else. */
  const kernelsAreRight = (): Promise<void> => expect.poll(actual, PATIENCE).toEqual(expected(attached()))
  const isReached = async (from: LabContainer, to: LabContainer): Promise<boolean[]> =>
    Promise.all(to.ips.map(async (ip) => (await reach(from.namespace, ip, REACH_MS)) !== undefined))
  const isSilent = async (from: LabContainer, to: LabContainer): Promise<boolean> =>
    (await reach(from.namespace, to.ip, SILENCE_MS)) === undefined
  const byHand = (host: LabHost, line: string): Promise<string> => {
    const [tool, ...args] = line.split(' ')
    return iproute2(host.namespace)(tool as 'ip' | 'bridge', args)
  }
  const deviceIndex = async (host: LabHost): Promise<number> =>
    JSON.parse(await byHand(host, `ip -json link show dev ${DEVICE}`))[0].ifindex

  beforeAll(async () => {
    // Longer than an agent takes to restart on a busy machine.
    playground = await OverlayPlayground.up(3, { agentOptions: ['--withdraw-after-ms', '3000'] })
    ;[h1, h2, h3] = playground.lab.hosts as [LabHost, LabHost, LabHost]
    ;[c1, c2, c3] = playground.lab.containers as [LabContainer, LabContainer, LabContainer]
  }, 90_000)
  afterAll(() => playground?.remove())

  it('let containers ping each other by IPv4 and IPv6, and carry a TCP transfer whole', async () => {
    await kernelsAreRight()
    for (const [from, to] of [
      [c1, c2],
      [c2, c3],
      [c3, c1],
    ] as const) {
      expect(await isReached(from, to)).toEqual([true, true])
    }
    const { sent, arrived } = await transfer(c1, c3, { chunks: 64 })
    expect(arrived).toBe(sent)
  })

  it('carry no traffic for an endpoint that was detached, and do again once it is attached', async () => {
    await playground.detach(c3)
    await kernelsAreRight()
    expect(await isSilent(c1, c3)).toBe(true)
    await playground.attach(c3)
    await kernelsAreRight()
    expect(await isReached(c1, c3)).toEqual([true, true])
  })

  it('may be killed and start again while pings flow: device and rows stay, and none is lost', async () => {
    const index = await deviceIndex(h1)
    const rows = await actual()
    const pings = [new Pings(c1, c2.ip), new Pings(c2, c1.ip)]
    await expect.poll(() => pings.every(({ answered }) => answered > 10), PATIENCE).toBe(true)
    await playground.kill(h1)
    expect(await actual()).toEqual(rows)
    await playground.start(h1)
    await kernelsAreRight()
    const results = await Promise.all(pings.map((ping) => ping.stop()))
    expect(results.map(({ lost }) => lost)).toEqual([0, 0])
    expect(await deviceIndex(h1)).toBe(index)
  }, 60_000)

  it('follow an endpoint that moves between hosts, with its addresses and its open connections', async () => {
    const whole = transfer(c2, c1, { chunks: 100, pauseMs: 20 })
    for (const target of [h3, h2, h3, h1]) {
      await playground.move(c1, target)
      await kernelsAreRight()
      expect(await isReached(c3, c1)).toEqual([true, true])
    }
    const { sent, arrived } = await whole
    expect(arrived).toBe(sent)
  }, 60_000)

  it('withdraw a host that is cut off, and have it back after healing, while traffic goes on elsewhere', async () => {
    const pings = new Pings(c1, c2.ip)
    playground.lab.partition([h3])
    await expect.poll(() => actualRows(h1, DEVICE), PATIENCE).toEqual(expectedRows(h1, [c1, c2]))
    await expect.poll(() => actualRows(h2, DEVICE), PATIENCE).toEqual(expectedRows(h2, [c1, c2]))
    // Whoever is alone withdraws nothing: it may be the one at fault.
    expect(await actualRows(h3, DEVICE)).toEqual(expectedRows(h3, [c1, c2, c3]))
    playground.lab.heal()
    await kernelsAreRight()
    expect(await isReached(c1, c3)).toEqual([true, true])
    expect((await pings.stop()).lost).toBe(0)
  }, 90_000)

  it('repair rows that were deleted, falsified or invented by hand', async () => {
    for (const line of [
      `bridge fdb replace ${c2.mac} dev ${DEVICE} dst ${h3.vtep} self permanent`,
      `bridge fdb del ${c3.mac} dev ${DEVICE} self`,
      `bridge fdb del ${c3.mac} dev ${DEVICE} master`,
      `bridge fdb replace 02:00:00:00:00:99 dev ${DEVICE} dst ${h3.vtep} self permanent`,
      `ip neigh replace ${c2.ip} lladdr ${c3.mac} dev ${DEVICE} nud permanent`,
      `ip neigh del ${c3.ip} dev ${DEVICE}`,
      `ip neigh replace 10.42.0.99 lladdr ${c3.mac} dev ${DEVICE} nud permanent`,
    ]) {
      await byHand(h1, line)
    }
    await kernelsAreRight()
    expect(await isReached(c1, c2)).toEqual([true, true])
    expect(await isReached(c1, c3)).toEqual([true, true])
  })

  it.each(['ip link set dev vx42 down', 'ip link set dev vx42 nomaster', 'ip link del dev vx42'])(
    'have everything as it was after: %s',
    async (line) => {
      await byHand(h1, line)
      await expect.poll(() => byHand(h1, `ip link show dev ${DEVICE}`), PATIENCE).toMatch(/UP.* master br0/)
      await kernelsAreRight()
      expect(await isReached(c1, c2)).toEqual([true, true])
    },
    60_000,
  )

  it('leave the rows alone that they find, where no seed answers, and lose no ping when all start anew', async () => {
    const rows = await actual()
    const pings = new Pings(c1, c2.ip)
    await expect.poll(() => pings.answered, PATIENCE).toBeGreaterThan(10)
    await Promise.all(playground.lab.hosts.map((host) => playground.kill(host)))
    playground.agent(h1).start()
    const state = async (): Promise<string | undefined> => {
      const { networks } = await playground.status(h1)
      return networks.find(({ name }) => name === NETWORK)?.state
    }
    await expect.poll(() => state().catch(() => undefined), PATIENCE).toBe('waiting')
    expect(await actual()).toEqual(rows)
    await Promise.all(playground.lab.hosts.map((host) => playground.start(host)))
    await kernelsAreRight()
    expect(await isReached(c1, c2)).toEqual([true, true])
    expect((await pings.stop()).lost).toBe(0)
  }, 60_000)

  it('withdraw their endpoints and remove what they made when they are taken down', async () => {
    await playground.client(h3).down()
    await expect.poll(() => playground.agent(h3).isRunning, PATIENCE).toBe(false)
    await expect(deviceIndex(h3)).rejects.toThrow('does not exist')
    await expect.poll(() => actualRows(h1, DEVICE), PATIENCE).toEqual(expectedRows(h1, [c1, c2]))
    expect(await byHand(h3, 'ip -o link')).not.toContain('vxlan')
  })
})
