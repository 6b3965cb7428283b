import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { Lab, type LabContainer, type LabHost, type LabOptions } from '../../examples/lab/lab.ts'
import { leftovers, namespaces, runBatches } from '../../examples/lab/namespaces.ts'
import { reach } from '../../examples/lab/reach.ts'
import { describeOnKernel } from './requirements.ts'

const LAB = fileURLToPath(new URL('../../examples/lab/lab.ts', import.meta.url))
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const SILENCE_MS = 300
const PATIENCE_MS = 3_000

const namesOf = ({ hosts, containers }: Lab): string[] =>
  [...hosts, ...containers].map(({ namespace }) => namespace)

/** Runs a script with `Lab` in scope in a process of its own; resolves with what it printed. */
async function inOtherProcess(script: string): Promise<string> {
  const code = `import { Lab } from ${JSON.stringify(LAB)}; ${script}`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const ended = promisify(execFile)(process.execPath, args, { cwd: PROJECT })
  const { stdout } = await ended.catch((error: { stdout: string }) => error)
  return stdout.trim()
}

/** Programs each host by hand to reach the containers of all others, as agents would. */
function connect({ hosts }: Lab): void {
  for (const { namespace, vtep, bridge, containers } of hosts) {
    const others = hosts.filter((other) => other.vtep !== vtep)
    runBatches([
      {
        namespace,
        lines: [
          `link add vx42 mtu 1430 type vxlan id 42 local ${vtep} dstport 4789 nolearning proxy`,
          `link set dev vx42 master ${bridge} up`,
          ...others.flatMap((other) => other.containers).flatMap(neighbours),
        ],
      },
    ])
    for (const other of others) {
      for (const { mac } of other.containers) {
        const row = ['fdb', 'replace', mac, 'dev', 'vx42', 'dst', other.vtep, 'self', 'permanent']
        execFileSync('bridge', ['-netns', namespace, ...row])
      }
    }
    expect(containers).not.toEqual([])
  }
}

function neighbours({ ips, mac }: LabContainer): string[] {
  return ips.map((ip) => `neigh replace ${ip} lladdr ${mac} dev vx42 nud permanent`)
}

describeOnKernel('the lab', () => {
  let lab: Lab | undefined

  const build = (hostCount: number, options?: LabOptions): [Lab, ...LabHost[]] => {
    lab = Lab.build(hostCount, options)
    return [lab, ...lab.hosts]
  }
  const isReached = async (from: LabHost | LabContainer, ip: string): Promise<boolean> =>
    (await reach(from.namespace, ip, PATIENCE_MS)) !== undefined
  const isCutOff = async (from: LabHost | LabContainer, ip: string): Promise<boolean> =>
    (await reach(from.namespace, ip, SILENCE_MS)) === undefined

  afterEach(() => lab?.remove())

  it.each(['ipv4', 'ipv6'] as const)(
    'connects containers over %s by the rows of its hosts alone, with IPv4 and IPv6',
    async (underlay) => {
      const [lab, h1, h2] = build(2, { underlay, containers: 2 }) as [Lab, LabHost, LabHost]
      const [, alone] = h1.containers as [LabContainer, LabContainer]
      expect(await isCutOff(alone, h2.container.ip)).toBe(true)
      connect(lab)
      for (const ip of h2.container.ips) expect(await isReached(h1.container, ip)).toBe(true)
      for (const ip of h1.container.ips) expect(await isReached(h2.container, ip)).toBe(true)
    },
  )

  it('makes a container at run time, with addresses as told or the next ones, and removes it with its processes', async () => {
    const [lab, h1] = build(1, { containers: 2 }) as [Lab, LabHost]
    const next = lab.addContainer(h1)
    const told = lab.addContainer(h1, { ips: ['10.42.9.9', 'fd42::99'], mac: '02:00:00:00:00:99' })
    expect(next).toMatchObject({ name: 'c3', ips: ['10.42.0.3', 'fd42::3'], mac: '02:42:0a:2a:00:03' })
    expect(h1.containers.map(({ name }) => name)).toEqual(['c1', 'c2', 'c3', 'c4'])
    for (const ip of [...next.ips, ...told.ips]) expect(await isReached(h1.container, ip)).toBe(true)
    const device = execFileSync('ip', ['-netns', told.namespace, 'link', 'show', 'dev', 'eth0'])
    expect(String(device)).toContain(told.mac)
    const inside = spawn('ip', ['netns', 'exec', next.namespace, 'sleep', '60'], { stdio: 'ignore' })
    const ended = new Promise((resolve) => inside.once('exit', (_, signal) => resolve(signal)))
    const processes = (): string =>
      execFileSync('ip', ['netns', 'pids', next.namespace], { encoding: 'utf8' })
    await expect.poll(processes).toContain(String(inside.pid))
    lab.removeContainer(next)
    expect(await ended).toBe('SIGKILL')
    expect(h1.containers.map(({ name }) => name)).toEqual(['c1', 'c2', 'c4'])
    expect(namespaces()).not.toContain(next.namespace)
    expect(await isCutOff(h1.container, next.ip)).toBe(true)
  })

  it('refuses addresses that are none before anything is made', () => {
    const [lab, h1] = build(1) as [Lab, LabHost]
    expect(() => lab.addContainer(h1, { ips: ['10.42.0.9; reboot'] })).toThrow('not a unicast IP address')
    expect(() => lab.addContainer(h1, { mac: 'ff:ff:ff:ff:ff:ff' })).toThrow('not a unicast MAC address')
    expect(() => Lab.build(0)).toThrow('from 1 to 200')
    expect(() => Lab.build(2, { segments: 3 })).toThrow('from 1 to 2')
    expect(() => Lab.build(2, { containers: Number.NaN })).toThrow('from 0 to 250')
    expect(lab.containers).toHaveLength(1)
  })

  it('moves a container with its addresses, its processes and its routes', async () => {
    const [lab, h1, h2] = build(2, { containers: 2 }) as [Lab, LabHost, LabHost]
    const moving = h1.container
    const [stays] = h1.containers.slice(1) as [LabContainer]
    const inside = spawn('ip', ['netns', 'exec', moving.namespace, 'sleep', '60'], { stdio: 'ignore' })
    lab.moveContainer(moving, h2)
    expect(moving.host).toBe(h2)
    expect(h1.containers).toEqual([stays])
    expect(h2.containers.map(({ name }) => name)).toEqual(['c3', 'c4', 'c1'])
    for (const ip of moving.ips) expect(await isReached(h2.container, ip)).toBe(true)
    expect(await isCutOff(stays, moving.ip)).toBe(true)
    lab.moveContainer(moving, h1)
    for (const ip of moving.ips) expect(await isReached(stays, ip)).toBe(true)
    expect(inside.exitCode).toBeNull()
  })

  it('partitions hosts into groups, cuts one way only, and heals', async () => {
    const [lab, h1, h2, h3] = build(3) as [Lab, LabHost, LabHost, LabHost]
    lab.partition([h1, h2])
    expect(await isReached(h1, h2.vtep)).toBe(true)
    expect(await isCutOff(h1, h3.vtep)).toBe(true)
    expect(await isCutOff(h3, h2.vtep)).toBe(true)
    lab.heal()
    expect(await isReached(h1, h3.vtep)).toBe(true)

    const arrived = (): number =>
      JSON.parse(
        execFileSync('ip', ['-json', '-s', '-netns', h1.namespace, 'link', 'show', 'underlay'], {
          encoding: 'utf8',
        }),
      )[0].stats64.rx.packets
    lab.cut(h1, h2)
    expect(lab.cuts).toEqual([['h1', 'h2']])
    const before = arrived()
    expect(await isCutOff(h2, h1.vtep)).toBe(true)
    expect(arrived()).toBeGreaterThan(before)
    lab.heal()
    expect(await isReached(h2, h1.vtep)).toBe(true)
  })

  it.each(['ipv4', 'ipv6'] as const)(
    'puts hosts of different segments behind a router (%s), where they can be cut off as well',
    async (underlay) => {
      const [lab, h1, h2, h3] = build(3, { underlay, segments: 2 }) as [Lab, LabHost, LabHost, LabHost]
      expect([h1, h2, h3].map(({ segment }) => segment)).toEqual([0, 0, 1])
      const route = execFileSync('ip', ['-netns', h1.namespace, 'route', 'get', h3.vtep], {
        encoding: 'utf8',
      })
      expect(route).toContain('via')
      expect(await isReached(h1, h2.vtep)).toBe(true)
      expect(await isReached(h1, h3.vtep)).toBe(true)
      lab.cut(h3, h1)
      expect(await isCutOff(h1, h3.vtep)).toBe(true)
      lab.heal()
      expect(await isReached(h1, h3.vtep)).toBe(true)
    },
  )

  it('unplugs a host, and plugs it in again', async () => {
    const [lab, h1, h2] = build(2) as [Lab, LabHost, LabHost]
    lab.plug(h2, false)
    expect(await isCutOff(h1, h2.vtep)).toBe(true)
    lab.plug(h2, true)
    expect(await isReached(h1, h2.vtep)).toBe(true)
  })

  it('is gone entirely once removed, with the processes in it, and may be removed again', async () => {
    const outside = (): string =>
      execFileSync('sh', ['-c', 'ip -o link; ip route; ip -6 route; nft list ruleset'], { encoding: 'utf8' })
    const before = outside()
    const [lab, h1] = build(2) as [Lab, LabHost]
    const names = namesOf(lab)
    const inside = spawn('ip', ['netns', 'exec', h1.namespace, 'sleep', '60'], { stdio: 'ignore' })
    const ended = new Promise((resolve) => inside.once('exit', (_, signal) => resolve(signal)))
    const processes = (): string => execFileSync('ip', ['netns', 'pids', h1.namespace], { encoding: 'utf8' })
    await expect.poll(processes).toContain(String(inside.pid))
    for (const name of names) expect(namespaces()).toContain(name)
    expect(existsSync(h1.directory)).toBe(true)
    expect(leftovers()).toContain(`namespace ${h1.namespace}`)
    lab.partition([h1])
    expect(outside()).toBe(before)
    lab.remove()
    lab.remove()
    expect(await ended).toBe('SIGKILL')
    for (const name of names) expect(namespaces()).not.toContain(name)
    expect(existsSync(lab.directory)).toBe(false)
    await expect.poll(leftovers).toEqual([])
  })

  it('is removed in whatever way its process ends: done, throwing, rejecting, exiting, killed', async () => {
    const endings = [
      '',
      'throw new Error("on purpose")',
      'Promise.reject(new Error("on purpose"))',
      'process.exit(3)',
      'process.kill(process.pid, "SIGKILL")',
    ]
    const make = 'const lab = Lab.build(1); lab.addContainer(lab.hosts[0]); console.log(lab.directory);'
    const directories = await Promise.all(endings.map((ending) => inOtherProcess(`${make} ${ending}`)))
    const left = (): string[] =>
      directories.filter((directory) => {
        const id = directory.slice(tmpdir().length + 1)
        return existsSync(directory) || namespaces().some((name) => name.startsWith(id))
      })
    for (const directory of directories) expect(directory).toContain('/hearsay-')
    // Only the killed one needs somebody else, who takes a moment.
    expect(left().filter((directory) => directory !== directories.at(-1))).toEqual([])
    await expect.poll(left, { timeout: 10_000 }).toEqual([])
  })

  it('removes what another left behind whose process is gone, and nothing else', () => {
    const [lab] = build(1)
    const [, startTime] = /hearsay-\d+-(\d+)/.exec(lab.directory) ?? []
    const abandoned = ['hearsay-999999999-1-abc-h1', `hearsay-${process.pid}-${Number(startTime) - 1}-abc-h1`]
    const foreign = `other-${process.pid}`
    for (const name of [...abandoned, foreign]) execFileSync('ip', ['netns', 'add', name])
    execFileSync('mkdir', [join(tmpdir(), 'hearsay-999999999-1-abd')])
    Lab.build(1).remove()
    for (const name of abandoned) expect(namespaces()).not.toContain(name)
    expect(readdirSync(tmpdir())).not.toContain('hearsay-999999999-1-abd')
    for (const name of [...namesOf(lab), foreign]) expect(namespaces()).toContain(name)
    expect(existsSync(lab.directory)).toBe(true)
    execFileSync('ip', ['netns', 'delete', foreign])
  })
})
