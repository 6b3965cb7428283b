import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { difference } from '../../src/agent/kernel.ts'
import { LinuxOverlayKernel } from '../../src/agent/linux-overlay-kernel.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import { type OverlayRow, slotOf } from '../../src/agent/overlay-rows.ts'
import { Reconciler } from '../../src/agent/reconciler.ts'
import { RefusedRowsError } from '../../src/agent/refused-rows.ts'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'
import { describeOnKernel } from './requirements.ts'

const MAC = '02:42:00:00:00:02'
const ROWS: OverlayRow[] = [
  { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
  { table: 'port', mac: MAC },
  { table: 'neighbour', ip: '10.42.0.2', mac: MAC },
  { table: 'neighbour', ip: 'fd42::2', mac: MAC },
]

const sorted = (rows: readonly OverlayRow[]): OverlayRow[] =>
  [...rows].sort((a, b) => (slotOf(a) < slotOf(b) ? -1 : 1))

describeOnKernel('rows in the Linux kernel', () => {
  let lab: Lab
  let namespace: string
  let run: Run
  let kernel: LinuxOverlayKernel

  /** Makes the kernel hold these rows, as one pass of a reconciler does. */
  const reconcile = async (desired: readonly OverlayRow[]): Promise<void> => {
    await kernel.apply(difference(kernel, desired, await kernel.dump()))
  }
  const byHand = (line: string): Promise<string> => {
    const [tool, ...args] = line.split(' ')
    return run(tool as 'ip' | 'bridge', args)
  }

  beforeAll(() => {
    lab = Lab.build(1)
    const host = lab.hosts[0] as LabHost
    namespace = host.namespace
    run = iproute2(namespace)
    const settings = { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, bridge: host.bridge }
    kernel = new LinuxOverlayKernel(new VxlanDevice(settings, run), run)
  })
  beforeEach(() => kernel.remove())
  afterAll(() => lab?.remove())

  it('are found in the next dump just as they were put', async () => {
    await kernel.dump()
    await kernel.apply({ put: ROWS, remove: [] })
    expect(sorted(await kernel.dump())).toEqual(sorted(ROWS))
  })

  it('are removed without touching the others', async () => {
    await reconcile(ROWS)
    await reconcile(ROWS.slice(2))
    expect(sorted(await kernel.dump())).toEqual(sorted(ROWS.slice(2)))
  })

  it('follow a container that moves', async () => {
    await reconcile(ROWS)
    const moved = ROWS.map((row) => (row.table === 'fdb' ? { ...row, vtep: '10.77.0.3' } : row))
    await reconcile(moved)
    expect(sorted(await kernel.dump())).toEqual(sorted(moved))
  })

  it.each([
    ['an FDB row to another host', [`bridge fdb replace ${MAC} dev vx42 dst 10.77.0.9 self permanent`]],
    [
      'an FDB row to another UDP port',
      [`bridge fdb replace ${MAC} dev vx42 dst 10.77.0.2 port 53 self permanent`],
    ],
    ['an FDB row that would age', [`bridge fdb replace ${MAC} dev vx42 dst 10.77.0.2 self dynamic`]],
    ['a missing FDB row', [`bridge fdb del ${MAC} dev vx42 self`]],
    ['a bridge row to another port', [`bridge fdb replace ${MAC} dev c1 master static`]],
    ['a bridge row to this host', [`bridge fdb replace ${MAC} dev vx42 master permanent`]],
    ['a missing bridge row', [`bridge fdb del ${MAC} dev vx42 master`]],
    [
      'a neighbour with another MAC',
      ['ip neigh replace 10.42.0.2 lladdr 02:42:00:00:00:09 dev vx42 nud permanent'],
    ],
    ['a neighbour that would age', [`ip neigh replace fd42::2 lladdr ${MAC} dev vx42 nud reachable`]],
    [
      'a neighbour marked as a router',
      [`ip neigh replace fd42::2 lladdr ${MAC} dev vx42 nud permanent router`],
    ],
    ['a missing neighbour', ['ip neigh del 10.42.0.2 dev vx42']],
    [
      'rows for a container that does not exist',
      [
        'bridge fdb replace 02:42:00:00:00:09 dev vx42 dst 10.77.0.9 self static',
        'bridge fdb replace 02:42:00:00:00:09 dev vx42 master static',
        'ip neigh replace 10.42.0.9 lladdr 02:42:00:00:00:09 dev vx42 nud permanent',
      ],
    ],
    ['a device taken down, which empties its neighbour table', ['ip link set dev vx42 down']],
    ['a device that was removed', ['ip link del dev vx42']],
  ])('are repaired after %s', async (_, lines) => {
    await reconcile(ROWS)
    for (const line of lines) await byHand(line)
    await reconcile(ROWS)
    expect(sorted(await kernel.dump())).toEqual(sorted(ROWS))
  })

  it('are repaired as soon as they are touched, and not at the next audit', async () => {
    const reconciler = new Reconciler({ kernel, desired: () => ROWS, auditIntervalMs: 3_600_000 })
    reconciler.trigger()
    await reconciler.whenSettled()
    // What went on before its monitor listened counts as touched, too.
    await new Promise((resolve) => setTimeout(resolve, 500))
    for (const line of [
      `bridge fdb del ${MAC} dev vx42 self`,
      `bridge fdb replace ${MAC} dev vx42 dst 10.77.0.9 self permanent`,
      'ip neigh replace 10.42.0.2 lladdr 02:42:00:00:00:09 dev vx42 nud permanent',
      'ip link del dev vx42',
      'ip link set dev vx42 nomaster',
    ]) {
      const { looks } = reconciler.status()
      await byHand(line)
      await expect.poll(() => reconciler.status().looks, { timeout: 10_000 }).toBeGreaterThan(looks)
      await reconciler.whenSettled()
      expect(sorted(await kernel.dump())).toEqual(sorted(ROWS))
    }
    await byHand('ip link set dev underlay mtu 1400')
    const mtu = async () => JSON.parse(await byHand('ip -json link show dev vx42'))[0].mtu
    await expect.poll(mtu, { timeout: 10_000 }).toBe(1350)
    await byHand('ip link set dev underlay mtu 1500')
    await expect.poll(mtu, { timeout: 10_000 }).toBe(1450)
    await reconciler.stop()
  })

  it('of others stay: on other devices, learned, or of another control plane', async () => {
    await reconcile(ROWS)
    await byHand('bridge fdb replace 02:42:00:00:00:05 dev c1 master static')
    await byHand('ip neigh replace 10.77.0.5 lladdr 02:42:00:00:00:05 dev underlay nud permanent')
    await byHand('bridge fdb replace 02:42:00:00:00:06 dev vx42 dst 10.77.0.6 self dynamic')
    await byHand('bridge fdb replace 02:42:00:00:00:07 dev vx42 dst 10.77.0.7 self permanent extern_learn')
    await reconcile([])
    expect(await kernel.dump()).toEqual([])
    expect(await byHand('bridge fdb show dev c1')).toContain('02:42:00:00:00:05')
    expect(await byHand('ip neigh show dev underlay')).toContain('10.77.0.5')
    const left = await byHand('bridge fdb show dev vx42')
    expect(left).toContain('02:42:00:00:00:06 dst 10.77.0.6')
    expect(left).toContain('02:42:00:00:00:07 dst 10.77.0.7')
  })

  it('are applied as far as they can be when one of them is refused', async () => {
    await kernel.dump()
    const impossible: OverlayRow = { table: 'fdb', mac: '02:42:00:00:00:08', vtep: 'fd77::8' }
    const error = await kernel.apply({ put: [impossible, ...ROWS], remove: [] }).catch((error) => error)
    expect(error).toBeInstanceOf(RefusedRowsError)
    expect(error.refused).toMatchObject([{ row: impossible, reason: expect.stringContaining('bridge') }])
    expect(difference(kernel, ROWS, await kernel.dump()).put).toEqual([])
  })

  it('of IPv6 are refused, and no others, where IPv6 is switched off on the device', async () => {
    await kernel.dump()
    execFileSync('ip', [
      'netns',
      'exec',
      namespace,
      'sh',
      '-c',
      'echo 1 >/proc/sys/net/ipv6/conf/vx42/disable_ipv6',
    ])
    const stray: OverlayRow = { table: 'neighbour', ip: '10.42.0.9', mac: MAC }
    const error = await kernel.apply({ put: ROWS, remove: [stray] }).catch((error) => error)
    expect(error.refused).toMatchObject([
      { row: { ip: 'fd42::2' }, reason: expect.stringContaining('IPv6 is disabled') },
    ])
    expect(difference(kernel, ROWS, await kernel.dump()).put).toMatchObject([{ ip: 'fd42::2' }])
  })

  it('may be gone already when they are removed', async () => {
    await kernel.dump()
    await kernel.apply({ put: [], remove: ROWS })
    expect(await kernel.dump()).toEqual([])
  })

  it('can be thousands', async () => {
    const many = Array.from({ length: 2_000 }, (_, n): OverlayRow[] => {
      const [high, low] = [(n >> 8) + 1, n & 0xff]
      const mac = `02:42:00:01:${high.toString(16).padStart(2, '0')}:${low.toString(16).padStart(2, '0')}`
      return [
        { table: 'fdb', mac, vtep: '10.77.0.2' },
        { table: 'neighbour', ip: `10.43.${high}.${low}`, mac },
      ]
    }).flat()
    await reconcile(many)
    expect(await kernel.dump()).toHaveLength(4_000)
    await reconcile(many.slice(0, 1))
    expect(await kernel.dump()).toEqual(many.slice(0, 1))
  })

  it('vanish with the device that the agent made', async () => {
    await reconcile(ROWS)
    await kernel.remove()
    expect(await byHand('ip -json link show')).not.toContain('vx42')
    expect(await byHand('bridge fdb show')).not.toContain(MAC)
  })
})
