import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ControlClient } from '../../../examples/overlay-agent/control-client.ts'
import { eventually } from './agents.ts'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const MAIN = 'examples/overlay-agent/main.ts'
const MAC = '02:42:0a:2a:00:01'

interface Ended {
  readonly exit: number | string | null
  readonly stdout: string
  readonly stderr: string
}

describe('the overlay agent as a program', () => {
  let directory: string
  let client: ControlClient
  const children: ChildProcess[] = []

  /** Runs a command to its end, or until it is killed. */
  const command = (...args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } => {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
      cwd: PROJECT,
      env: { ...process.env, HEARSAY_SOCKET: client.socketPath, HEARSAY_KEY: 'ab'.repeat(32) },
    })
    children.push(child)
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text
      })
    }
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code, signal) => resolve({ exit: signal ?? code, ...output }))
    })
    return { child, ended }
  }
  const run = (...args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } =>
    command('run', '--vtep', '10.77.0.1', '--name', 'h1', '--bind', '127.0.0.1:0', '--dry-run', ...args)
  const state = (): string => join(directory, 'state')

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
    client = new ControlClient(join(directory, 'agent.sock'))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  })

  it('is asked by its commands, goes on where it was after a SIGTERM, and forgets when it goes down', async () => {
    const first = run('--state', state())
    await eventually(() => client.status().catch(() => undefined)).toMatchObject({ name: 'h1' })
    await client.join('blue', { vni: 42 })
    const attached = await command('attach', 'blue', MAC, '10.42.0.1', '--json').ended
    expect(JSON.parse(attached.stdout)).toMatchObject({ mac: MAC, bridge: 'br42', mtu: 1450 })
    first.child.kill('SIGTERM')
    const stopped = await first.ended
    expect(stopped).toMatchObject({ exit: 0, stderr: '' })
    expect(stopped.stdout).not.toContain('link del')
    expect(existsSync(client.socketPath)).toBe(false)

    const second = run('--state', state())
    await eventually(() => client.endpoints().catch(() => [])).toMatchObject([{ mac: MAC, local: true }])
    expect((await command('down').ended).stdout).toBe('the agent has left\n')
    const gone = await second.ended
    expect(gone).toMatchObject({ exit: 0, stderr: '' })
    expect(gone.stdout).toContain('ip link del dev vx42')
    expect(existsSync(join(state(), 'overlay-agent.json'))).toBe(false)
  })

  it('removes everything at a SIGTERM where nothing is kept for the next start', async () => {
    const { child, ended } = run()
    await eventually(() => client.join('blue', { vni: 42 }).catch(() => undefined)).toBeDefined()
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ exit: 0, stdout: expect.stringContaining('ip link del dev vx42') })
  })

  it('ends at a SIGTERM while it is still starting', async () => {
    const { child, ended } = run('--seed', '127.0.0.1:1')
    await eventually(() => existsSync(client.socketPath)).toBe(true)
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ exit: 0, stderr: '' })
  })

  it('is refused in one line beside another one, with a damaged state, and with a key file that is none', async () => {
    const elsewhere = (name: string): string[] => ['--socket', join(directory, name)]
    run()
    writeFileSync(join(directory, 'overlay-agent.json'), '{')
    const damaged = run(...elsewhere('a'), '--state', directory).ended
    const keyless = run(...elsewhere('b'), '--key-file', join(directory, 'none')).ended
    await eventually(() => client.status().catch(() => undefined)).toBeDefined()
    const faults = await Promise.all([run().ended, damaged, keyless])
    expect(faults.map(({ exit }) => exit)).toEqual([1, 1, 1])
    expect(faults.map(({ stderr }) => stderr)).toEqual([
      expect.stringMatching(/^overlay-agent: another agent listens on .*\n$/),
      expect.stringMatching(/^overlay-agent: the state file .* is damaged .*\n$/),
      expect.stringMatching(/^overlay-agent: The key file .*\n$/),
    ])
  })

  it('says in one line that no agent is there to be asked', async () => {
    const { exit, stderr } = await command('status').ended
    expect(exit).toBe(1)
    expect(stderr).toMatch(/^overlay-agent: no agent listens on .*is it running\?\n$/)
  })
})
