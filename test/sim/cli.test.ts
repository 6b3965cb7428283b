import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', 'sim/cli.ts', ...args], { encoding: 'utf8' })
}

describe('the command line of the simulator', () => {
  it('refuses what it does not know with one line and exit code 2', () => {
    const faults: [string[], string][] = [
      [[], 'usage:'],
      [['--scenario', 'nonsense'], 'there is no scenario "nonsense"; there are steady, join-storm'],
      [['--scenario', 'steady', '--set', 'kill=3'], 'no parameter "kill"'],
      [['--scenario', 'crash', '--set', 'kill=0'], '"kill" must be a number from 1'],
      [['--scenario', 'crash', '--set', 'kill'], 'key=value'],
      [['--scenario', 'crash', '--nodes', 'many'], '"--nodes"'],
      [['--scenario', 'crash', '--nodes', '2.5'], '"--nodes" must be a whole number'],
      [['--frobnicate'], "Unknown option '--frobnicate'"],
    ]
    for (const [args, sentence] of faults) {
      const { status, stdout, stderr } = cli(...args)
      expect({ status, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        status: 2,
        stdout: '',
        lines: 1,
      })
      expect(stderr).toContain(sentence)
    }
  }, 60_000)

  it('lists the scenarios and what can be set', () => {
    const { status, stdout } = cli('--list')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^crash: /m)
    expect(stdout).toMatch(/--set kill=10 .*\(1 to 1000\)/)
  })

  it('prints a table, and writes a report that is the same every time but for the real time it took', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-sim-'))
    try {
      const reports = ['one.json', 'two.json'].map((name) => {
        const file = join(directory, name)
        const { status, stdout, stderr } = cli(
          '--scenario',
          'crash',
          '--nodes',
          '6',
          '--seed',
          '3',
          '--set',
          'kill=1',
          '--json',
          file,
        )
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
        expect(stdout).toMatch(/^first survivor( +[\d,]+ ms){3}$/m)
        expect(stdout).toMatch(/^crashes +1$/m)
        return JSON.parse(readFileSync(file, 'utf8'))
      })
      const virtual = reports.map(({ wallMs, speedup, peakRssMb, steps, ...rest }) => {
        expect([wallMs, speedup, peakRssMb].every((value) => value > 0)).toBe(true)
        return {
          ...rest,
          steps: steps.map(({ name, virtualMs }: { name: string; virtualMs: number }) => [name, virtualMs]),
        }
      })
      expect(virtual[1]).toEqual(virtual[0])
      expect(virtual[0]).toMatchObject({
        scenario: 'crash',
        nodes: 6,
        seed: 3,
        traceHash: expect.stringMatching(/^[0-9a-f]{16}$/),
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  }, 60_000)

  it('writes a page when asked to, and nothing that moves where there is no terminal', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-sim-'))
    try {
      const file = join(directory, 'page.html')
      const { status, stdout, stderr } = cli(
        '--scenario',
        'crash',
        '--nodes',
        '4',
        '--set',
        'kill=1',
        '--report',
        file,
      )
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      for (const moving of ['\r', '\u001b']) expect(stdout).not.toContain(moving)
      expect(readFileSync(file, 'utf8')).toContain(
        'npm run sim -- --scenario crash --nodes 4 --seed 1 --set kill=1',
      )
    } finally {
      rmSync(directory, { recursive: true })
    }
  }, 60_000)

  it('fails on a violated invariant, and prints the command that replays it', () => {
    const args = [
      '--scenario',
      'steady',
      '--nodes',
      '3',
      '--seed',
      '4',
      '--minutes',
      '0.1',
      '--set',
      'loss=1',
    ]
    const { status, stderr } = cli(...args)
    expect(status).toBe(1)
    expect(stderr).toContain('VIOLATED')
    expect(stderr.trim().split('\n').at(-1)).toBe(`replay: npm run sim -- ${args.join(' ')}`)
  }, 60_000)
})
