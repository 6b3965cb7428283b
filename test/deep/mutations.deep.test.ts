import { spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** A rule of the protocol, broken by one replacement in one file. `from` must be there exactly once. */
interface Mutation {
  readonly rule: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const MUTATIONS: readonly Mutation[] = [
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

const ROOT = resolve(import.meta.dirname, '../..')
/** Runs of the soak, at most; it stops at the first violation. */
const SEEDS = 24

describe('the soak', () => {
  let folder = ''

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearsay-mutations-'))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'main.js'),
      "import { soakMain } from './sim/soak-cli.js'\nprocess.exitCode = await soakMain(process.argv.slice(2))\n",
    )
    for (const room of ['src', 'sim']) {
      for (const file of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
        if (file.endsWith('.ts')) build(`${room}/${file}`, read(`${room}/${file}`))
      }
    }
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function read(file: string): string {
    return readFileSync(join(ROOT, file), 'utf8')
  }

  function build(file: string, source: string): void {
    const { outputText } = ts.transpileModule(source, {
      fileName: file,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    const out = join(folder, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(out), { recursive: true })
    writeFileSync(out, outputText)
  }

  /** The exit code, and what was said. */
  function soak(): Promise<{ code: number | null; output: string }> {
    return new Promise((done, failed) => {
      const child = spawn(process.execPath, ['main.js', '--soak', '--seeds', String(SEEDS)], { cwd: folder })
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
    const { code, output } = await soak()
    expect(output).not.toContain('VIOLATED')
    expect(code).toBe(0)
  }, 150_000)

  it.each(MUTATIONS)(
    'finds a broken rule: $rule',
    async ({ file, from, to }) => {
      const source = read(file)
      expect(source.split(from)).toHaveLength(2)
      build(file, source.replace(from, to))
      try {
        const { code, output } = await soak()
        expect(output).toContain('VIOLATED')
        expect(code).toBe(1)
      } finally {
        build(file, source)
      }
    },
    150_000,
  )
})
