import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { reach } from '../../examples/lab/reach.ts'
import { difference } from '../../src/agent/kernel.ts'
import { LinuxKernel } from '../../src/agent/linux-kernel.ts'
import { iproute2 } from '../../src/agent/node-commands.ts'
import type { OverlayRow } from '../../src/agent/overlay-rows.ts'
import { VxlanDevice } from '../../src/agent/vxlan-device.ts'
import { describeOnKernel } from './requirements.ts'

const LAB = fileURLToPath(new URL('../../examples/lab/lab.ts', import.meta.url))
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

const namespaces = (): string => spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout
const namesOf = ({ hosts }: Lab): string[] =>
  hosts.flatMap((host) => [host.namespace, host.container.namespace])

/** Runs a script with `Lab` in scope in a process of its own; returns what it printed. */
function inOtherProcess(script: string): string {
  const code = `import { Lab } from ${JSON.stringify(LAB)}; ${script}`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  return spawnSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' }).stdout.trim()
}

describeOnKernel('the lab', () => {
  let lab: Lab | undefined

  /** Programs each host to reach the containers of all others, as agents would. */
  const connect = async ({ hosts }: Lab): Promise<void> => {
    for (const host of hosts) {
      const run = iproute2(host.namespace)
      const settings = { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, bridge: host.bridge }
      const kernel = new LinuxKernel(new VxlanDevice(settings, run), run)
      const others = hosts.filter((other) => other !== host)
      const put = others.flatMap(({ vtep, container: { ip, mac } }): OverlayRow[] => [
        { table: 'fdb', mac, vtep },
        { table: 'port', mac },
        { table: 'neighbour', ip, mac },
      ])
      await kernel.dump()
      await kernel.apply({ put, remove: [] })
      expect(difference(kernel, put, await kernel.dump())).toEqual({ put: [], remove: [] })
    }
  }

  afterEach(() => lab?.remove())

  it.each(['ipv4', 'ipv6'] as const)(
    'lets containers of different hosts reach each other over %s, by these rows alone',
    async (underlay) => {
      lab = Lab.build(2, underlay)
      const [h1, h2] = lab.hosts as [LabHost, LabHost]
      expect(await reach(h1.container.namespace, h2.container.ip, 300)).toBeUndefined()
      await connect(lab)
      expect(await reach(h1.container.namespace, h2.container.ip, 2_000)).toBeGreaterThan(0)
      expect(await reach(h2.container.namespace, h1.container.ip, 2_000)).toBeGreaterThan(0)
    },
  )

  it('lets containers reach each other by IPv6: neighbour solicitations are answered like ARP', async () => {
    lab = Lab.build(2)
    await connect(lab)
    const [h1, h2] = lab.hosts as [LabHost, LabHost]
    for (const [host, other, ip] of [
      [h1, 'fd42::2', 'fd42::1'],
      [h2, 'fd42::1', 'fd42::2'],
    ] as const) {
      const { mac } = host === h1 ? h2.container : h1.container
      const neighbour = ['neigh', 'replace', other, 'lladdr', mac, 'dev', 'vx42', 'nud', 'permanent']
      await iproute2(host.namespace)('ip', neighbour)
      await iproute2(host.container.namespace)('ip', ['address', 'add', `${ip}/64`, 'dev', 'eth0', 'nodad'])
    }
    expect(await reach(h1.container.namespace, 'fd42::2', 2_000)).toBeGreaterThan(0)
  })

  it('is gone entirely once removed, with the processes in it, and may be removed again', async () => {
    lab = Lab.build(2)
    const names = namesOf(lab)
    const inside = spawn('ip', ['netns', 'exec', names[0] ?? '', 'sleep', '60'], { stdio: 'ignore' })
    const ended = new Promise((resolve) => inside.once('exit', (_, signal) => resolve(signal)))
    const processes = (): string =>
      execFileSync('ip', ['netns', 'pids', names[0] ?? ''], { encoding: 'utf8' })
    await expect.poll(processes).toContain(String(inside.pid))
    for (const name of names) expect(namespaces()).toContain(name)
    lab.remove()
    lab.remove()
    expect(await ended).toBe('SIGKILL')
    for (const name of names) expect(namespaces()).not.toContain(name)
  })

  it.each([
    ['ends', ''],
    ['throws', 'throw new Error("on purpose")'],
    ['leaves something rejected', 'Promise.reject(new Error("on purpose"))'],
    ['exits', 'process.exit(3)'],
  ])('is removed when its process %s', (_, ending) => {
    const name = inOtherProcess(`console.log(Lab.build(1).hosts[0].namespace); ${ending}`)
    expect(name).toMatch(/^hearsay-/)
    expect(namespaces()).not.toContain(name)
  })

  it('is removed when its process is killed', async () => {
    const name = inOtherProcess(
      'console.log(Lab.build(1).hosts[0].namespace); process.kill(process.pid, "SIGKILL")',
    )
    expect(name).toMatch(/^hearsay-/)
    await expect.poll(namespaces, { timeout: 10_000 }).not.toContain(name)
  })

  it('removes what another left behind whose process is gone, and nothing else', () => {
    lab = Lab.build(1)
    const [, startTime] = /^hearsay-\d+-(\d+)/.exec(lab.hosts[0]?.namespace ?? '') ?? []
    const abandoned = ['hearsay-999999999-1-abc-h1', `hearsay-${process.pid}-${Number(startTime) - 1}-abc-h1`]
    const foreign = `other-${process.pid}`
    for (const name of [...abandoned, foreign]) execFileSync('ip', ['netns', 'add', name])
    Lab.build(1).remove()
    for (const name of abandoned) expect(namespaces()).not.toContain(name)
    for (const name of [...namesOf(lab), foreign]) expect(namespaces()).toContain(name)
    execFileSync('ip', ['netns', 'delete', foreign])
  })
})
