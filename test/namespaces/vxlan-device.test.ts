import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import { VxlanDevice, type VxlanOptions } from '../../src/agent/vxlan-device.ts'
import { describeOnKernel } from './requirements.ts'

const MAC = '02:42:00:00:00:09'

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

  it('of somebody else with the same name is neither taken nor removed', async () => {
    await run('ip', ['link', 'add', 'vx42', 'type', 'vxlan', 'id', '42', 'dstport', '4789'])
    await expect(device().ensure()).rejects.toThrow('exists and is not ours')
    await device().remove()
    expect(await show()).toMatchObject({ ifname: 'vx42' })
    await run('ip', ['link', 'del', 'vx42'])
  })

  it('is refused where no device has the VTEP address', async () => {
    await expect(device({ vtep: '10.77.0.99' }).ensure()).rejects.toThrow(
      'no device here has the VTEP address 10.77.0.99',
    )
  })

  it('is refused where the bridge is missing, in words that name it', async () => {
    await expect(device({ bridge: 'br7' }).ensure()).rejects.toThrow('br7')
  })

  it('is removed, and removed again without complaint', async () => {
    await device().ensure()
    await device().remove()
    await device().remove()
    await expect(show()).rejects.toThrow('does not exist')
  })
})
