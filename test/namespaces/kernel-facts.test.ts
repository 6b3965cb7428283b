import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { reach } from '../../examples/lab/reach.ts'
import { iproute2 } from '../../src/agent/node-commands.ts'
import { describeOnKernel } from './requirements.ts'

/** What the agents build on, checked on the kernel that the tests run on. */
describeOnKernel('facts about the kernel', () => {
  let lab: Lab
  let h1: LabHost
  let h2: LabHost

  const on = ({ namespace }: { readonly namespace: string }, line: string): Promise<string> => {
    const [tool, ...args] = line.split(' ')
    return iproute2(namespace)(tool as 'ip' | 'bridge', args)
  }
  /** Makes the device of a host, with what leads to the container of the other one. */
  const connect = async (
    host: LabHost,
    other: LabHost,
    learning: 'learning' | 'nolearning',
  ): Promise<void> => {
    const { mac, ip } = other.container
    const vxlan = `type vxlan id 42 local ${host.vtep} dstport 4789 ${learning} proxy`
    await on(host, `ip link add vx42 mtu 1430 ${vxlan}`)
    await on(host, 'ip link set dev vx42 master br0 up')
    await on(host, `bridge fdb replace ${mac} dev vx42 dst ${other.vtep} self permanent`)
    await on(host, `ip neigh replace ${ip} lladdr ${mac} dev vx42 nud permanent`)
  }
  const connectAll = async (learning: 'learning' | 'nolearning'): Promise<void> => {
    await connect(h1, h2, learning)
    await connect(h2, h1, learning)
  }
  const ping = (): Promise<number | undefined> => reach(h2.container.namespace, h1.container.ip, 300)
  /** How many frames have come in from other hosts. */
  const received = async (): Promise<number> =>
    JSON.parse(await on(h1, 'ip -json -statistics link show dev vx42'))[0].stats64.rx.packets

  beforeAll(() => {
    lab = Lab.build(2)
    ;[h1, h2] = lab.hosts as [LabHost, LabHost]
  })
  beforeEach(async () => {
    for (const host of lab.hosts) await on(host, 'ip link del dev vx42').catch(() => {})
  })
  afterAll(() => lab?.remove())

  it('a device that learns drops inbound frames of a MAC with a stale row; one that does not lets them in', async () => {
    for (const [learning, comesIn] of [
      ['learning', false],
      ['nolearning', true],
    ] as const) {
      await connectAll(learning)
      await on(h1, `bridge fdb replace ${h2.container.mac} dev vx42 dst 10.77.0.99 self permanent`)
      const before = await received()
      await ping()
      expect((await received()) > before).toBe(comesIn)
      for (const host of lab.hosts) await on(host, 'ip link del dev vx42')
    }
  })

  it('an exclusive add fails where a learned row took the slot, and replace does not', async () => {
    const { mac } = h2.container
    await connectAll('learning')
    await on(h1, `bridge fdb del ${mac} dev vx42 self`)
    await ping()
    expect(await on(h1, 'bridge fdb show dev vx42')).toContain(`${mac} dst ${h2.vtep} self`)
    const row = `${mac} dev vx42 dst ${h2.vtep} self permanent`
    await expect(on(h1, `bridge fdb add ${row}`)).rejects.toThrow('File exists')
    await on(h1, `bridge fdb replace ${row}`)
    expect(await on(h1, 'bridge fdb show dev vx42')).toContain(`${mac} dst ${h2.vtep} self permanent`)
  })

  it('deleting an FDB row with another destination succeeds and deletes nothing', async () => {
    const { mac } = h2.container
    await connectAll('nolearning')
    await on(h1, `bridge fdb del ${mac} dev vx42 dst 10.77.0.99 self`)
    expect(await on(h1, 'bridge fdb show dev vx42')).toContain(`${mac} dst ${h2.vtep}`)
    await on(h1, `bridge fdb del ${mac} dev vx42 self`)
    expect(await on(h1, 'bridge fdb show dev vx42')).not.toContain(`${mac} dst`)
  })

  it('deleting a neighbour ignores the MAC', async () => {
    const { ip } = h2.container
    await connectAll('nolearning')
    await on(h1, `ip neigh del ${ip} lladdr 02:42:00:00:00:99 dev vx42`)
    expect(await on(h1, 'ip neigh show dev vx42 nud permanent')).not.toContain(ip)
  })

  it('taking a device down empties its neighbour table, and not its FDB', async () => {
    const { mac, ip } = h2.container
    await connectAll('nolearning')
    await on(h1, 'ip link set dev vx42 down')
    await on(h1, 'ip link set dev vx42 up')
    expect(await on(h1, 'bridge fdb show dev vx42')).toContain(`${mac} dst ${h2.vtep}`)
    expect(await on(h1, 'ip neigh show dev vx42 nud permanent')).not.toContain(ip)
  })

  it('a route put with replace takes the place of anybody else with that metric', async () => {
    await on(h1, 'ip route add 10.50.0.0/24 via 10.77.0.9 metric 116 proto static')
    await on(h1, 'ip route replace 10.50.0.0/24 via 10.77.0.8 metric 116 proto 116')
    expect(await on(h1, 'ip route show 10.50.0.0/24')).not.toContain('static')
    await on(h1, 'ip route del 10.50.0.0/24')
  })

  it('a route goes with its link, and nobody is told', async () => {
    await on(h1, 'ip route add 10.50.0.0/24 via 10.77.0.9 proto 116')
    await on(h1, 'ip link set dev underlay down')
    expect(await on(h1, 'ip route show 10.50.0.0/24')).toBe('')
    await on(h1, 'ip link set dev underlay up')
    expect(await on(h1, 'ip route show 10.50.0.0/24')).toBe('')
  })
})
