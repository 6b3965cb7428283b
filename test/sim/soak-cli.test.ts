import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { calm } from './soak-plans.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'hearsay-soak-cli-'))

afterAll(() => rmSync(FOLDER, { recursive: true }))

function replay(content: string): { status: number | null; stdout: string; stderr: string } {
  const file = join(FOLDER, 'case.json')
  writeFileSync(file, content)
  const args = ['--import', 'tsx', 'sim/cli.ts', '--soak', '--replay', file]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

describe('--soak --replay', () => {
  it('refuses a file without a valid plan with one line and exit code 2', () => {
    const plan = calm({ operations: [{ at: 0, node: 'n9', kind: 'leave' }] })
    const faults: [string, string][] = [
      ['not\nJSON', 'it is not JSON'],
      ['[]', 'it holds no plan'],
      [JSON.stringify({ plan: {} }), 'the plan has no valid nodes'],
      [JSON.stringify({ violations: [], plan }), 'operation 0 of the plan (leave) has no valid node: "n9"'],
    ]
    for (const [content, sentence] of faults) {
      const { status, stdout, stderr } = replay(content)
      expect({ status, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        status: 2,
        stdout: '',
        lines: 1,
      })
      expect(stderr).toContain('case.json cannot be replayed: ')
      expect(stderr).toContain(sentence)
    }
  }, 60_000)

  it('runs a plan that is valid', () => {
    const { status, stdout } = replay(JSON.stringify({ violations: [], plan: calm({ safetyMs: 100 }) }))
    expect(status).toBe(0)
    expect(stdout).toContain('no violation')
  }, 60_000)
})
