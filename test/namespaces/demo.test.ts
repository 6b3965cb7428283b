import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { describeOnKernel } from './requirements.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const AGENTS_START = 'h1 listens on'

/** `npm start` as a process, with what it has printed so far. */
class Demo {
  output = ''
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly #child: ChildProcess

  constructor() {
    const args = ['--import', 'tsx', 'examples/overlay-agent/demo.ts']
    const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves once it has printed something; rejects if it ends before. */
  async untilPrinted(text: string): Promise<void> {
    const isPrinted = expect.poll(() => this.output, { timeout: 25_000 }).toContain(text)
    const hasEnded = this.ended.then((how) => {
      if (!this.output.includes(text)) throw new Error(`ended (${how}): ${this.output}`)
    })
    await Promise.race([isPrinted, hasEnded])
  }

  /** Its namespaces that exist now. */
  namespaces(): string[] {
    const names = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n')
    const prefix = `hearsay-${this.#child.pid}-`
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.split(' ')[0] ?? '')
  }

  /** Ids of the processes in its namespaces. */
  processes(): number[] {
    const pids = this.namespaces().map((name) =>
      execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }),
    )
    return pids.join('').split('\n').filter(Boolean).map(Number)
  }
}

/** Not one that has ended and waits for its parent, which may be an init that takes its time. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}

describeOnKernel('npm start as root', () => {
  let demo: Demo

  /**
   * Starts it and lets it get as far as its first running agent; returns the ids of processes in its namespaces.
   */
  const withAgents = async (): Promise<number[]> => {
    demo = new Demo()
    await demo.untilPrinted(AGENTS_START)
    const processes = demo.processes()
    expect(demo.namespaces()).toHaveLength(7)
    expect(processes).not.toEqual([])
    return processes
  }

  afterEach(() => demo.kill('SIGKILL'))

  it('connects three hosts, follows a move, withdraws one that was killed, takes it back, leaves nothing behind', async () => {
    const processes = await withAgents()
    expect(await demo.ended).toBe(0)
    const { output } = demo
    expect(output).toMatch(/from 10\.42\.0\.1 to 10\.42\.0\.3: {2}[\d.]+ ms/)
    const [, afterMove = ''] = output.split(/10\.42\.0\.2 moved from h2 to h3; \d+ ms later all kernels know/)
    expect(afterMove.split('moved')[0]).toContain('02:42:0a:2a:00:02 dst 10.77.0.3 self permanent')
    expect(afterMove.split('moved')[0]).toMatch(/from 10\.42\.0\.1 to fd42::2: {2}[\d.]+ ms/)
    expect(output).toMatch(/h3 {2}10\.77\.0\.3:7946 +failed/)
    expect(output).toContain('its entries are withdrawn from their kernels')
    expect(output).toContain('from 10.42.0.1 to 10.42.0.3:  no answer, as it should be')
    const [, afterReturn = ''] = output.split('alive again for everyone')
    expect(afterReturn).toContain('02:42:0a:2a:00:03 dst 10.77.0.3 self permanent')
    expect(afterReturn).toMatch(/from 10\.42\.0\.3 to 10\.42\.0\.1: {2}[\d.]+ ms/)
    expect(output).toContain('all have left in good order')
    expect(demo.namespaces()).toEqual([])
    expect(processes.filter(isRunning)).toEqual([])
  }, 60_000)

  it('leaves nothing behind when stopped by SIGINT', async () => {
    const processes = await withAgents()
    demo.kill('SIGINT')
    expect(await demo.ended).toBe(130)
    expect(demo.namespaces()).toEqual([])
    await expect.poll(() => processes.filter(isRunning)).toEqual([])
  }, 60_000)

  it('leaves nothing behind when stopped by SIGTERM while it is still building', async () => {
    demo = new Demo()
    await demo.untilPrinted('built:')
    expect(demo.namespaces()).toHaveLength(7)
    demo.kill('SIGTERM')
    expect(await demo.ended).toBe(143)
    expect(demo.namespaces()).toEqual([])
  }, 60_000)

  it('says what went wrong and leaves nothing behind when it fails', async () => {
    const processes = await withAgents()
    spawnSync('kill', ['-KILL', ...processes.map(String)])
    expect(await demo.ended).toBe(1)
    expect(demo.output).toMatch(
      /The demo failed: (an agent ended|.* got no answer|.* does not answer|no agent listens)/,
    )
    expect(demo.namespaces()).toEqual([])
  }, 60_000)

  it('leaves nothing behind even when killed itself', async () => {
    const processes = await withAgents()
    demo.kill('SIGKILL')
    expect(await demo.ended).toBe('SIGKILL')
    await expect.poll(() => processes.filter(isRunning), { timeout: 10_000 }).toEqual([])
    await expect.poll(() => demo.namespaces(), { timeout: 10_000 }).toEqual([])
  }, 60_000)
})
