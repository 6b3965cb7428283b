import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { reach } from '../../examples/lab/reach.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'
import type { VxlanOptions } from '../../src/agent/vxlan-link.ts'
import { describeOnKernel } from './requirements.ts'

const MAC = '02:42:00:00:00:09'

/** Has a container send something to an address, for which it must know the MAC. */
function ask(namespace: string, ip: string): Promise<unknown> {
  return reach(namespace, ip, 300)
}

function resolved(namespace: string, ip: string): Promise<string> {
  return iproute2(namespace)('ip', ['neigh', 'show', ip])
}

describeOnKernel('the VXLAN device', () => {
  let lab: Lab
  let host: LabHost
  let run: Run
  let settings: VxlanOptions

  const show = async (name = 'vx42') =>
    JSON.parse(await run('ip', ['-json', '-d', 'link', 'show', 'dev', name]))[0]
  const rows = (): Promise<string> => run('bridge', ['fdb', 'show', 'dev', 'vx42'])
  const device = (changed: Partial<VxlanOptions> = {}): VxlanDevice =>
    new VxlanDevice({ ...settings, ...changed }, run)
  const unbridged = (name: string, vni: number): VxlanDevice =>
    new VxlanDevice({ name, vni, vtep: host.vtep, port: 4789 }, run)

  beforeAll(() => {
    lab = Lab.build(1)
    host = lab.hosts[0] as LabHost
    run = iproute2(host.namespace)
    settings = { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, bridge: host.bridge }
  })
  beforeEach(() => device().remove())
  afterAll(() => lab?.remove())

  it('answers ARP, fits the underlay, is up, is a port of the bridge, and learns nothing, nor does the port', async () => {
    await device().ensure()
    const link = await show()
    expect(link).toMatchObject({ mtu: 1450, master: 'br0', flags: expect.arrayContaining(['UP']) })
    expect(link.linkinfo.info_data).toMatchObject({
      id: 42,
      local: host.vtep,
      port: 4789,
      learning: false,
      proxy: true,
    })
    expect(link.linkinfo.info_slave_data).toMatchObject({ learning: false })
  })

  it('is adopted by the next process with all its rows', async () => {
    await device().ensure()
    await run('bridge', ['fdb', 'replace', MAC, 'dev', 'vx42', 'dst', '10.77.0.9', 'self', 'permanent'])
    const { ifindex } = await show()
    await device().ensure()
    expect((await show()).ifindex).toBe(ifindex)
    expect(await rows()).toContain(`${MAC} dst 10.77.0.9`)
  })

  it.each<[string, Partial<VxlanOptions>]>([
    ['another VNI', { vni: 43 }],
    ['another UDP port', { port: 8472 }],
  ])('is made anew for %s', async (_, changed) => {
    await device().ensure()
    await device(changed).ensure()
    const { id, port } = (await show()).linkinfo.info_data
    expect({ vni: id, port }).toMatchObject(changed)
  })

  it('is put right when somebody has taken it down, off the bridge, or made its port learn', async () => {
    await device().ensure()
    await run('ip', ['link', 'set', 'dev', 'vx42', 'nomaster', 'down'])
    await device().ensure()
    expect(await show()).toMatchObject({ master: 'br0', flags: expect.arrayContaining(['UP']) })
    await run('bridge', ['link', 'set', 'dev', 'vx42', 'learning', 'on'])
    await device().ensure()
    expect((await show()).linkinfo.info_slave_data).toMatchObject({ learning: false })
  })

  it('is adopted just so over an IPv6 underlay, whose headers take 20 bytes more', async () => {
    await run('ip', ['address', 'add', 'fd77::1/64', 'dev', 'underlay', 'nodad'])
    const onIpv6 = device({ vtep: 'fd77::1' })
    await onIpv6.ensure()
    const { ifindex, mtu } = await show()
    expect(mtu).toBe(1430)
    await onIpv6.ensure()
    expect((await show()).ifindex).toBe(ifindex)
  })

  it.each(['fd42::9', '10.42.0.9'])(
    'answers who has %s by itself, like a host and not a router, and sends nothing to other hosts',
    async (ip) => {
      await device().ensure()
      await run('ip', ['neigh', 'replace', ip, 'lladdr', MAC, 'dev', 'vx42', 'nud', 'permanent'])
      const container = host.container.namespace
      await iproute2(container)('ip', ['neigh', 'flush', 'all'])
      await ask(container, ip)
      await expect.poll(() => resolved(container, ip)).toContain(`lladdr ${MAC}`)
      expect(await resolved(container, ip)).not.toContain('router')
      const unknown = ip.replace(/9$/, '8')
      await ask(container, unknown)
      expect(await resolved(container, unknown)).not.toContain('lladdr')
      const [link] = JSON.parse(await run('ip', ['-json', '-statistics', 'link', 'show', 'dev', 'vx42']))
      expect(link.stats64.tx.packets).toBe(0)
    },
  )

  it('hears neighbour solicitations behind a bridge that knows who listens to which multicast group', async () => {
    await run('ip', ['address', 'replace', 'fe80::1/64', 'dev', 'br0', 'nodad'])
    const bridge = ['link', 'set', 'dev', 'br0', 'type', 'bridge']
    // First, and by itself: it is how long a new querier waits before it trusts what it knows.
    await run('ip', [...bridge, 'mcast_query_response_interval', '1'])
    await run('ip', [...bridge, 'mcast_querier', '1'])
    await device().ensure()
    await run('ip', ['neigh', 'replace', 'fd42::9', 'lladdr', MAC, 'dev', 'vx42', 'nud', 'permanent'])
    const container = host.container.namespace
    const isAnswered = async (): Promise<boolean> => {
      await iproute2(container)('ip', ['neigh', 'flush', 'all'])
      await ask(container, 'fd42::9')
      return (await resolved(container, 'fd42::9')).includes('lladdr')
    }
    await run('bridge', ['link', 'set', 'dev', 'vx42', 'mcast_router', '1'])
    await expect.poll(isAnswered, { timeout: 5_000 }).toBe(false)
    await device().ensure()
    expect(await isAnswered()).toBe(true)
    await run('ip', [...bridge, 'mcast_querier', '0'])
  })

  it('follows the MTU of the underlay, and stays what it is', async () => {
    await device().ensure()
    const { ifindex } = await show()
    await run('ip', ['link', 'set', 'dev', 'underlay', 'mtu', '1400'])
    await device().ensure()
    expect(await show()).toMatchObject({ ifindex, mtu: 1350 })
    await run('ip', ['link', 'set', 'dev', 'underlay', 'mtu', '1500'])
    await device().ensure()
    expect(await show()).toMatchObject({ ifindex, mtu: 1450 })
  })

  it('is made to learn no more when somebody has made it, and keeps its rows', async () => {
    await device().ensure()
    await run('bridge', ['fdb', 'replace', MAC, 'dev', 'vx42', 'dst', '10.77.0.9', 'self', 'permanent'])
    await run('ip', ['link', 'set', 'dev', 'vx42', 'type', 'vxlan', 'id', '42', 'learning'])
    expect((await show()).linkinfo.info_data).toMatchObject({ learning: true })
    await device().ensure()
    expect((await show()).linkinfo.info_data).toMatchObject({ learning: false })
    expect(await rows()).toContain(`${MAC} dst 10.77.0.9`)
  })

  it('is made anew when somebody has given it a destination to flood to', async () => {
    await device().ensure()
    await run('ip', ['link', 'set', 'dev', 'vx42', 'type', 'vxlan', 'id', '42', 'remote', '10.77.0.9'])
    expect(await rows()).toContain('00:00:00:00:00:00 dst 10.77.0.9')
    await device().ensure()
    expect(await rows()).not.toContain('10.77.0.9')
  })

  it('is brought back to its bridge from another one', async () => {
    await device().ensure()
    await run('ip', ['link', 'add', 'br1', 'type', 'bridge'])
    await run('ip', ['link', 'set', 'dev', 'vx42', 'master', 'br1'])
    await device().ensure()
    expect((await show()).master).toBe('br0')
    await run('ip', ['link', 'del', 'br1'])
  })

  it('of somebody else with the same name is neither taken nor removed', async () => {
    await run('ip', ['link', 'add', 'vx42', 'type', 'vxlan', 'id', '42', 'dstport', '4789'])
    await expect(device().ensure()).rejects.toMatchObject({
      code: 'ERR_DEVICE_FOREIGN',
      message: expect.stringContaining('exists and is not ours'),
    })
    await device().remove()
    await VxlanDevice.removeOurs(run)
    expect(await show()).toMatchObject({ ifname: 'vx42' })
    await run('ip', ['link', 'del', 'vx42'])
  })

  it('is refused where another device has the VNI, in words that name it', async () => {
    await run('ip', ['link', 'add', 'theirs', 'type', 'vxlan', 'id', '42', 'dstport', '4789'])
    await expect(device().ensure()).rejects.toMatchObject({
      code: 'ERR_VNI_IN_USE',
      message: expect.stringContaining('device theirs'),
    })
    await run('ip', ['link', 'del', 'theirs'])
    await device().ensure()
    expect(await show()).toMatchObject({ master: 'br0' })
  })

  it('is refused where no device has the VTEP address, made or not, until one has', async () => {
    const later = device({ vtep: '10.77.0.99' })
    const refusal = {
      code: 'ERR_VTEP_NOT_LOCAL',
      message: expect.stringContaining('no device here has the VTEP address 10.77.0.99'),
    }
    await expect(later.ensure()).rejects.toMatchObject(refusal)
    await run('ip', ['address', 'add', '10.77.0.99/24', 'dev', 'underlay'])
    await later.ensure()
    await run('ip', ['address', 'del', '10.77.0.99/24', 'dev', 'underlay'])
    await expect(later.ensure()).rejects.toMatchObject(refusal)
  })

  it.each(['br7', 'underlay'])(
    'is refused where there is no bridge %s, in words that name it',
    async (bridge) => {
      await expect(device({ bridge }).ensure()).rejects.toMatchObject({
        code: 'ERR_BRIDGE_MISSING',
        message: expect.stringContaining(bridge),
      })
    },
  )

  it('is removed, and removed again without complaint', async () => {
    await device().ensure()
    await device().remove()
    await device().remove()
    await expect(show()).rejects.toThrow('does not exist')
  })

  it('is found by its mark and removed, whoever made it', async () => {
    await device().ensure()
    await unbridged('vx43', 43).ensure()
    await run('ip', ['link', 'add', 'theirs', 'type', 'vxlan', 'id', '44', 'dstport', '4789'])
    const both = [
      { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, mtu: 1450, bridge: 'br0' },
      { name: 'vx43', vni: 43, vtep: host.vtep, port: 4789, mtu: 1450 },
    ]
    expect(await VxlanDevice.findOurs(run)).toEqual(both)
    expect(await VxlanDevice.removeOurs(run)).toEqual(both)
    expect(await VxlanDevice.findOurs(run)).toEqual([])
    expect(await show('theirs')).toMatchObject({ ifname: 'theirs' })
    await run('ip', ['link', 'del', 'theirs'])
  })
})
