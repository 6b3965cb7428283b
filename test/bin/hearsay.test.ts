import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseKey } from '../../src/security/keyring.ts'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url).pathname

let folder: string
let bin: string

/** The package as npm packs it, in a project of its own, with the commands that npm makes of it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearsay-bin-'))
  const installed = join(folder, 'node_modules', 'hearsay')
  await mkdir(installed, { recursive: true })
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT })
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!
  await run('tar', ['xzf', join(folder, tarball), '-C', installed, '--strip-components=1'])
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'project', private: true }))
  await run('npm', ['rebuild', '--offline', '--ignore-scripts'], { cwd: folder })
  bin = join(folder, 'node_modules', '.bin', 'hearsay')
})

afterAll(() => rm(folder, { recursive: true }))

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function hearsay(...args: string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run(bin, args, { cwd: folder })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome
    return { code, stdout, stderr }
  }
}

describe('the command of the package', () => {
  it('is installed, and can be executed', async () => {
    await access(bin, constants.X_OK)
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await hearsay('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('says on request how it is used', async () => {
    const { code, stdout, stderr } = await hearsay('--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const word of ['keygen', '--format', '--out', '--force', '--version']) expect(stdout).toContain(word)
  })

  it.each([
    [[]],
    [['frobnicate']],
    [['keygen', '--frobnicate']],
    [['keygen', '--format', 'ascii']],
    [['keygen', '--out', '']],
    [['keygen', '--force']],
    [['keygen', 'file']],
  ])('refuses %j by one sentence and exit code 2', async (args) => {
    const { code, stdout, stderr } = await hearsay(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^hearsay: [^\n]+; 'hearsay --help' says how\n$/)
  })
})

describe('hearsay keygen', () => {
  it('prints another key each time, in hex or base64, and nothing else', async () => {
    const hex = await hearsay('keygen')
    expect(hex).toMatchObject({ code: 0, stderr: '' })
    expect(hex.stdout).toMatch(/^[0-9a-f]{64}\n$/)
    const base64 = await hearsay('keygen', '--format', 'base64')
    expect(base64.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    const keys = [hex, base64].map(({ stdout }) => parseKey(stdout.trim()))
    expect(keys[0]).not.toEqual(keys[1])
  })

  it('writes a file that only its owner can read, and does not show the key', async () => {
    const { code, stdout, stderr } = await hearsay('keygen', '--out', 'blue.key')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    const file = join(folder, 'blue.key')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const key = (await readFile(file, 'utf8')).trim()
    parseKey(key)
    expect(stderr).toContain('blue.key')
    expect(stderr).not.toContain(key)
  })

  it('never overwrites a file, unless it is told to', async () => {
    const file = join(folder, 'green.key')
    await writeFile(file, 'precious', { mode: 0o644 })
    const refused = await hearsay('keygen', '--out', file)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/--force/)
    expect(await readFile(file, 'utf8')).toBe('precious')
    expect((await hearsay('keygen', '--out', file, '--force')).code).toBe(0)
    parseKey((await readFile(file, 'utf8')).trim())
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('says so if the file cannot be written', async () => {
    const { code, stderr } = await hearsay('keygen', '--out', join(folder, 'nowhere', 'key'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^hearsay: ENOENT/)
  })
})
