import { spawn } from 'node:child_process'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Mutant, type Mutation } from './mutant.ts'

/** A rule of the protocol, broken. */
interface BrokenRule extends Mutation {
  readonly rule: string
}

const MAIN =
  "import { soakMain } from './sim/soak-cli.js'\nprocess.exitCode = await soakMain(process.argv.slice(2))\n"

const MUTATIONS: readonly BrokenRule[] = [
  {
    rule: 'merge order: of two records the one of higher precedence stays',
    file: 'src/membership/member.ts',
    from: 'return order > 0 ? a : b',
    to: 'return order < 0 ? a : b',
  },
  {
    rule: 'refutation: whoever hears that it is suspect takes a higher incarnation',
    file: 'src/membership/identity.ts',
    from: 'const incarnation = Math.max(this.#record.incarnation, heard) + 1',
    to: 'const incarnation = Math.max(this.#record.incarnation, heard)',
  },
  {
    rule: 'contiguous line: below it absence is proof of deletion',
    file: 'src/network-state/owner-log.ts',
    from: 'if (seq > line || alive.has(seq)) continue',
    to: 'if (seq > line || !alive.has(seq)) continue',
  },
  {
    rule: 'contiguous line: everything up to it is known, and nothing above',
    file: 'src/network-state/owner-log.ts',
    from: 'return seq <= this.#contiguous || this.#ranges.has(seq)',
    to: 'return seq <= this.#contiguous + 1 || this.#ranges.has(seq)',
  },
  {
    rule: 'winner: the latest claim of a key is what everyone sees',
    file: 'src/network-state/view.ts',
    from: 'a.item.stamp - b.item.stamp',
    to: 'b.item.stamp - a.item.stamp',
  },
  {
    rule: 'replay window: each packet is taken once',
    file: 'src/security/replay-window.ts',
    from: 'if ((seen & bit) !== 0) return false',
    to: 'if ((seen & bit) !== 0) return true',
  },
]

/** Runs of the soak where nothing is broken, and at most so many where something is: it stops at the first violation. */
const SOUND_SEEDS = 24
const BROKEN_SEEDS = 200

describe('the soak', () => {
  let mutant: Mutant

  beforeAll(() => {
    mutant = new Mutant(['src', 'sim'], MAIN)
  })

  afterAll(() => mutant.remove())

  /** The exit code, and what was said. */
  function soak(seeds: number): Promise<{ code: number | null; output: string }> {
    return new Promise((done, failed) => {
      const child = spawn(process.execPath, ['main.js', '--soak', '--seeds', String(seeds)], {
        cwd: mutant.folder,
      })
      let output = ''
      const hear = (chunk: Buffer): void => {
        output += chunk.toString()
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('error', failed)
      child.on('close', (code) => done({ code, output }))
    })
  }

  it('finds nothing where nothing is broken', async () => {
    const { code, output } = await soak(SOUND_SEEDS)
    expect(output).not.toContain('VIOLATED')
    expect(code).toBe(0)
  }, 150_000)

  it.each(MUTATIONS)(
    'finds a broken rule: $rule',
    async (mutation) => {
      await mutant.broken(mutation, async () => {
        const { code, output } = await soak(BROKEN_SEEDS)
        expect(output).toContain('VIOLATED')
        expect(code).toBe(1)
      })
    },
    250_000,
  )
})
