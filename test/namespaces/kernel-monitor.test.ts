import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { KernelMonitor } from '../../src/agent/kernel-monitor.ts'
import { LinuxOverlayKernel } from '../../src/agent/linux-overlay-kernel.ts'
import { LinuxRouteKernel } from '../../src/agent/linux-route-kernel.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import type { OverlayRow } from '../../src/agent/overlay-rows.ts'
import type { RouteRow } from '../../src/agent/route-rows.ts'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'
import { describeOnKernel } from './requirements.ts'

const COMMANDS = fileURLToPath(new URL('../../src/agent/node-commands.ts', import.meta.url))
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const MAC = '02:42:00:00:00:02'
const ROWS: OverlayRow[] = [
  { table: 'fdb', mac: MAC, vtep: '10.77.0.2' },
  { table: 'port', mac: MAC },
  { table: 'neighbour', ip: '10.42.0.2', mac: MAC },
]
const ROUTES: RouteRow[] = [
  { destination: '10.42.1.0/24', via: '10.77.0.101' },
  { destination: 'fd42:1::/64', via: 'fd77::101' },
]

describeOnKernel('drift of a real kernel', () => {
  let lab: Lab
  let host: LabHost
  let run: Run
  let overlay: LinuxOverlayKernel
  let routes: LinuxRouteKernel
  let drifts = 0
  let stop = (): void => {}
  let stopAll = (): void => {}

  const byHand = (line: string): Promise<string> => {
    const [tool, ...args] = line.split(' ')
    return run(tool as 'ip' | 'bridge', args)
  }
  /** The processes of `ip monitor` in the namespaces of this lab. */
  const monitors = (): string[] =>
    execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(`-netns ${host.namespace} -oneline monitor`) && !line.includes('sh -c'))
  /** Watches, and lets what is told of the past go by. */
  const watch = async (kernel: LinuxOverlayKernel | LinuxRouteKernel): Promise<void> => {
    stop = kernel.watch(() => drifts++)
    await quiet()
  }
  /** Resolves once the monitor has told of everything that was done until now. */
  const allIsHeard = async (): Promise<void> => {
    const isHeard = new Promise<void>((resolve) => {
      const end = KernelMonitor.of(run).listen({
        onEvent: ({ device }) => {
          if (device !== 'marker') return
          end()
          resolve()
        },
        onGap: () => {},
      })
    })
    await byHand('ip link add marker type bridge')
    await isHeard
    await byHand('ip link del dev marker')
  }
  const quiet = async (): Promise<void> => {
    for (let before = -1; before !== drifts; ) {
      before = drifts
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    drifts = 0
  }

  beforeAll(async () => {
    lab = Lab.build(1)
    host = lab.hosts[0] as LabHost
    run = iproute2(host.namespace)
    await byHand('ip address add fd77::1/64 dev underlay nodad')
    const settings = { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, bridge: host.bridge }
    overlay = new LinuxOverlayKernel(new VxlanDevice(settings, run), run)
    routes = new LinuxRouteKernel({}, run)
    await overlay.dump()
    await overlay.apply({ put: ROWS, remove: [] })
    await routes.apply({ put: ROUTES, remove: [] })
    await routes.dump()
    // So that there is one monitor from the beginning to the end, and no gap in between.
    await new Promise<void>((resolve) => {
      stopAll = overlay.watch(resolve)
    })
  })
  afterEach(async () => {
    stop()
    await overlay.dump()
    await overlay.apply({ put: ROWS, remove: [] })
  })
  afterAll(() => lab?.remove())

  it.each([
    ['an FDB row is deleted', `bridge fdb del ${MAC} dev vx42 self`],
    ['an FDB row is falsified', `bridge fdb replace ${MAC} dev vx42 dst 10.77.0.9 self permanent`],
    ['a bridge row is deleted', `bridge fdb del ${MAC} dev vx42 master`],
    ['a bridge row is drawn to another port', `bridge fdb replace ${MAC} dev c1 master static`],
    ['a neighbour is deleted', 'ip neigh del 10.42.0.2 dev vx42'],
    [
      'a neighbour is falsified',
      'ip neigh replace 10.42.0.2 lladdr 02:42:00:00:00:09 dev vx42 nud permanent',
    ],
    ['the device is taken down', 'ip link set dev vx42 down'],
    ['the device is removed', 'ip link del dev vx42'],
    ['the device is taken off the bridge', 'ip link set dev vx42 nomaster'],
    ['the port of the bridge is made to learn', 'bridge link set dev vx42 learning on'],
    ['the device is made to learn', 'ip link set dev vx42 type vxlan id 42 learning'],
    ['the MTU of the underlay changes', 'ip link set dev underlay mtu 1400'],
  ])('is heard when %s', async (_, line) => {
    await watch(overlay)
    await byHand(line)
    await expect.poll(() => drifts, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0)
  })

  it.each([
    ['a route is deleted', 'ip route del 10.42.1.0/24 proto 116'],
    ['a route is falsified', 'ip route replace fd42:1::/64 via fd77::9 proto 116 metric 116'],
    ['the device that the routes lead to is taken down', 'ip link set dev underlay down'],
    ['an address is added, so that a gateway may have come near', 'ip address add 10.78.0.1/24 dev underlay'],
  ])('is heard when %s', async (_, line) => {
    await watch(routes)
    await byHand(line)
    await expect.poll(() => drifts, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0)
    await byHand('ip link set dev underlay up')
  })

  it('is not what happens to devices and routes of others', async () => {
    await watch(overlay)
    await byHand('ip link add other type veth peer name rehto')
    await byHand('ip link set dev other up')
    await byHand('ip neigh replace 10.77.0.5 lladdr 02:42:00:00:00:05 dev other nud permanent')
    await byHand('ip route add 10.42.3.0/24 dev other')
    await byHand('bridge fdb replace 02:42:00:00:00:07 dev c1 master static')
    await byHand('ip link del dev other')
    await allIsHeard()
    expect(drifts).toBe(0)
  })

  it('is heard again after the monitor has been killed', async () => {
    await watch(overlay)
    for (const line of monitors()) process.kill(Number.parseInt(line, 10))
    // What happens meanwhile is made up for once it is back.
    await byHand(`bridge fdb del ${MAC} dev vx42 self`)
    await expect.poll(() => drifts, { timeout: 10_000 }).toBeGreaterThan(0)
    await quiet()
    await byHand(`bridge fdb replace ${MAC} dev vx42 dst 10.77.0.9 self permanent`)
    await expect.poll(() => drifts, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0)
  })

  it('is heard through one process, however many watch, which ends with the last of them', async () => {
    const stops = Array.from({ length: 5 }, () => overlay.watch(() => {}))
    stops.push(routes.watch(() => {}))
    await expect.poll(monitors, { timeout: 10_000 }).toHaveLength(1)
    for (const end of [...stops, stopAll]) end()
    await expect.poll(monitors, { timeout: 10_000 }).toHaveLength(0)
    const children = spawnSync('ps', ['--ppid', String(process.pid), '-o', 'stat='], { encoding: 'utf8' })
    expect(children.stdout).not.toContain('Z')
  })

  it.each([
    ['ends', ''],
    ['is killed', 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 300)'],
  ])('leaves no process behind when the one that listens %s', async (_, ending) => {
    const code = `import { iproute2 } from ${JSON.stringify(COMMANDS)}
      const listener = { onLine() {}, onComplaint() {}, onEnd() {} }
      iproute2(${JSON.stringify(host.namespace)}).follow('ip', ['-oneline', 'monitor'], listener); ${ending}`
    const args = ['--import', 'tsx', '--input-type=module', '-e', code]
    const { signal, status } = spawnSync(process.execPath, args, { cwd: PROJECT, timeout: 20_000 })
    expect(signal ?? status).toBe(ending === '' ? 0 : 'SIGKILL')
    await expect.poll(monitors, { timeout: 10_000 }).toHaveLength(0)
  })
})
