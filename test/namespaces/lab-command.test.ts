import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { namespaces } from '../../examples/lab/namespaces.ts'
import { reach } from '../../examples/lab/reach.ts'
import { RemoteLab } from '../../examples/lab/remote.ts'
import { transfer } from '../traffic.ts'
import { describeOnKernel } from './requirements.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = ['--import', 'tsx', 'examples/lab/main.ts']
const PATIENCE = { timeout: 45_000, interval: 50 }

/** `npm run lab -- up` as a process, with what it has printed so far. */
class Up {
  output = ''
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly child: ChildProcess

  constructor(...options: readonly string[]) {
    const child = spawn(process.execPath, [...MAIN, 'up', ...options], {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  }

  async untilUp(): Promise<RemoteLab> {
    await expect.poll(() => this.output, PATIENCE).toContain('In a second terminal')
    return RemoteLab.find()
  }

  /** Namespaces and directories that it has made and not removed. */
  left(): string[] {
    const isOurs = (name: string): boolean => name.startsWith(`hearsay-${this.child.pid}-`)
    return [...namespaces(), ...readdirSync(tmpdir())].filter(isOurs)
  }
}

describeOnKernel('npm run lab', () => {
  let up: Up

  afterEach(() => up.child.kill('SIGKILL'))

  it('builds overlay hosts to play with from another terminal, until they are taken down', async () => {
    up = new Up('--hosts', '2', '--containers', '1')
    const lab = await up.untilUp()
    expect(up.left()).toHaveLength(2 + 2 + 2)
    expect(await lab.perform(['list'])).toMatch(
      /^h1 {2}10\.77\.0\.1 {2}agent \d+, .*\n {4}c1 {2}10\.42\.0\.1 {2}fd42::1 {2}02:/,
    )
    const c2 = await lab.namespaceOf('h2/c2')
    const isReached = async (ip: string, timeoutMs: number): Promise<boolean> =>
      (await reach(c2, ip, timeoutMs)) !== undefined
    await expect.poll(() => isReached('10.42.0.1', 1_000), PATIENCE).toBe(true)

    await lab.perform(['partition', 'h2'])
    expect(await lab.perform(['list'])).toContain('nothing gets from h1 to h2')
    expect(await isReached('10.42.0.1', 300)).toBe(false)
    await lab.perform(['heal'])
    await expect.poll(() => isReached('10.42.0.1', 1_000), PATIENCE).toBe(true)

    expect(await lab.perform(['add', 'h1'])).toContain('c3  10.42.0.3')
    await lab.perform(['move', 'c3', 'h2'])
    await lab.perform(['detach', 'h2/c3'])
    await lab.perform(['kill', 'h1'])
    expect(await lab.perform(['list'])).toMatch(/h1 .* no agent\n.*c1 .*\nh2 .*\n.*c2 .*\n.*c3 .* detached/)
    await lab.perform(['start', 'h1'])
    expect(JSON.parse(await lab.perform(['status', 'h1']))).toMatchObject({ name: 'h1' })

    await expect(lab.perform(['move', 'c3'])).rejects.toThrow('usage: move CONTAINER HOST')
    await expect(lab.perform(['move', 'c9', 'h1'])).rejects.toThrow('there is no container c9')
    await expect(lab.perform(['dance'])).rejects.toThrow('unknown command "dance"')

    const exec = promisify(execFile)(process.execPath, [...MAIN, 'exec', 'c2', '--', 'sh', '-c', 'exit 7'], {
      cwd: PROJECT,
    })
    await expect(exec).rejects.toMatchObject({ code: 7 })
    await lab.perform(['down'])
    expect(await up.ended).toBe(0)
    expect(up.left()).toEqual([])
  }, 90_000)

  it('builds host gateways, whose containers send each other megabytes, and leaves nothing behind on Ctrl-C', async () => {
    up = new Up('--hosts', '2', '--mode', 'host-gateway')
    const lab = await up.untilUp()
    const list = await lab.perform(['list'])
    const [, ip = ''] = /c2 {2}(\S+)/.exec(list) ?? []
    const [c1, c2] = [await lab.namespaceOf('c1'), await lab.namespaceOf('c2')]
    await expect.poll(async () => (await reach(c1, ip, 1_000)) !== undefined, PATIENCE).toBe(true)
    const { sent, arrived } = await transfer({ namespace: c1 }, { namespace: c2, ip })
    expect(arrived).toBe(sent)
    await expect(lab.perform(['move', 'c1', 'h2'])).rejects.toThrow('it cannot move')
    up.child.kill('SIGINT')
    expect(await up.ended).toBe(130)
    expect(up.left()).toEqual([])
  }, 90_000)

  it('refuses what it cannot build, in words, and leaves nothing behind', async () => {
    up = new Up('--hosts', '500')
    expect(await up.ended).toBe(1)
    expect(up.output).toContain('the number of hosts must be from 1 to 200, got 500')
    expect(up.left()).toEqual([])
  })
})
