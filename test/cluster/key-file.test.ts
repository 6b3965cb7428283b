import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Simulation } from '../../sim/simulation.ts'
import { Cluster, generateKey, HearsayError } from '../../src/index.ts'
import { KeyFile } from '../../src/key-file.ts'
import type { SecretFiles, Timer, Transport, TransportHandlers } from '../../src/runtime/runtime.ts'
import { RuntimeAround } from '../runtime/around.ts'
import { alive, start, until, warningsOf } from './nodes.ts'

const KEY = generateKey()
const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex')
const base64 = (key: Uint8Array): string => Buffer.from(key).toString('base64')

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearsay-keys-'))
  file = join(folder, 'cluster.key')
})

afterEach(() => rm(folder, { recursive: true }))

/** Writes a key file as it should be. */
async function write(text: string, mode = 0o600): Promise<void> {
  await writeFile(file, text)
  await chmod(file, mode)
}

function startWithFile(name: string, seeds: string[] = []): Promise<Cluster> {
  // The suite's own key is in the defaults.
  return start({ name, keys: [], keyFile: file, seeds })
}

async function refusal(keyFile = file): Promise<HearsayError> {
  const starting = Cluster.start({ name: 'a', bind: '127.0.0.1:0', keyFile })
  return starting.then(
    () => expect.unreachable(),
    (error: HearsayError) => error,
  )
}

function keysIn(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

it('a node takes its keys from a file: hex or base64, one a line, with comments; the first one seals', async () => {
  const other = generateKey()
  await write(`# keys of blue\r\n\n  ${base64(KEY)}  # in use\r\n${hex(other)}\n`)
  const a = await startWithFile('a')
  const b = await start({ name: 'b', keys: [KEY], seeds: [a.self.address] })
  await until(() => alive(b).length === 2 && alive(a).length === 2)
  expect(b.metrics()['dropped.unknown-key']).toBe(0)
  expect(a.metrics()['keys.held']).toBe(2)
})

it('after a rotation the file has the new key, and only the owner can read it', async () => {
  await write(`${hex(KEY)}\n`)
  const a = await startWithFile('a')
  const next = generateKey()
  await a.rotateKey(next)
  await until(() => keysIn(readFileSync(file, 'utf8')).join() === hex(next))
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await a.close()
  expect(await readdir(folder)).toEqual(['cluster.key'])
  const again = await startWithFile('a')
  expect(again.metrics()['keys.held']).toBe(1)
})

it('close waits for keys that are being written', async () => {
  await write(`${hex(KEY)}\n`)
  const a = await startWithFile('a')
  const next = generateKey()
  await a.rotateKey(next)
  await a.close()
  expect(keysIn(await readFile(file, 'utf8'))).toEqual([hex(next)])
})

it('a symbolic link stays one: what it leads to is written', async () => {
  const target = join(folder, 'target')
  await writeFile(target, `${hex(KEY)}\n`, { mode: 0o600 })
  await symlink(target, file)
  const a = await startWithFile('a')
  const next = generateKey()
  await a.rotateKey(next)
  await a.close()
  expect(keysIn(await readFile(target, 'utf8'))).toEqual([hex(next)])
  expect((await readdir(folder)).sort()).toEqual(['cluster.key', 'target'])
})

it.each([0o640, 0o604, 0o620])(
  'a file of mode %o is a warning, for whoever listens once the node has started',
  async (mode) => {
    await write(hex(KEY), mode)
    const node = await startWithFile('a')
    const warnings = warningsOf(node)
    await until(() => warnings.some(({ code }) => code === 'WARN_KEY_FILE_READABLE'))
    expect(inspect(warnings)).toContain(file)
  },
)

it('a file that only its owner can read is none', async () => {
  await write(hex(KEY))
  const node = await start({ name: 'a', keys: [], keyFile: file, seeds: ['127.0.0.1:1'], joinTimeoutMs: 50 })
  const warnings = warningsOf(node)
  await until(() => warnings.some(({ code }) => code === 'WARN_NO_SEED_ANSWERED'))
  expect(warnings.map(({ code }) => code)).toEqual(['WARN_NO_SEED_ANSWERED'])
})

it('a file that cannot be written is a warning; the rotation goes on, and it is tried until it can', async () => {
  await write(hex(KEY))
  const runtime = new FailingFiles()
  const node = await start({ name: 'a', keys: [], keyFile: file, runtime })
  const warnings = warningsOf(node)
  const next = generateKey()
  await node.rotateKey(next)
  await until(() => warnings.some(({ code }) => code === 'WARN_KEY_FILE_NOT_WRITTEN'))
  expect(String(warnings.at(-1)!.message)).toMatch(/ENOSPC.*tried again/s)
  expect(keysIn(await readFile(file, 'utf8'))).toEqual([hex(KEY)])
  runtime.failing = false
  await until(() => keysIn(readFileSync(file, 'utf8')).join() === hex(next))
})

it('no key is retired before every node has the next one in its file: a loss of power finds a key that is in use', async () => {
  await write(hex(KEY))
  const runtime = new SlowFiles()
  const node = await start({ name: 'slow', keys: [], keyFile: file, runtime })
  const other = await start({ name: 'other', keys: [KEY], seeds: [node.self.address] })
  await until(() => alive(node).length === 2 && alive(other).length === 2)
  const next = generateKey()
  await expect(other.rotateKey(next, { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'ERR_ROTATION_BLOCKED',
    message: expect.stringContaining('slow'),
  })
  expect(runtime.waiting).toBeGreaterThan(0)
  expect([node, other].map((each) => each.metrics()['keys.held'])).toEqual([2, 2])
  const rotated = other.rotateKey(next)
  const writing = setInterval(() => runtime.write(), 5)
  await rotated
  await node.close()
  clearInterval(writing)
  expect(keysIn(readFileSync(file, 'utf8'))).toContain(hex(next))
})

it('a file that cannot be written holds no rotation up', async () => {
  await write(hex(KEY))
  const node = await start({ name: 'a', keys: [], keyFile: file, runtime: new FailingFiles() })
  const other = await start({ name: 'b', keys: [KEY], seeds: [node.self.address] })
  await until(() => alive(node).length === 2 && alive(other).length === 2)
  await other.rotateKey(generateKey())
  await until(() => node.metrics()['keys.rotations'] === 1)
})

it('a file that is missing or holds no key is refused by a sentence that shows nothing of it', async () => {
  const missing = await refusal()
  expect(missing).toMatchObject({ code: 'ERR_KEY_FILE', cause: { code: 'ENOENT' } })
  expect(missing.message).toMatch(/hearsay keygen --out/)

  const almost = hex(KEY).slice(1)
  for (const text of [
    '',
    '# nothing\n',
    `${hex(generateKey())}\n${almost}\n`,
    `${almost}${hex(KEY)}`,
    'x'.repeat(65_537),
  ]) {
    await write(text)
    const error = await refusal()
    expect(error).toBeInstanceOf(HearsayError)
    expect(error.code).toBe('ERR_KEY_FILE')
    expect(error.message).toContain(file)
    const shown = inspect(error, { depth: Infinity, showHidden: true })
    for (let at = 0; at + 8 <= almost.length; at += 8) expect(shown).not.toContain(almost.slice(at, at + 8))
  }
})

it('whatever is in a file, it holds keys or is refused, and never is anything else thrown', async () => {
  const line = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((key) => hex(key)),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((key) => base64(key)),
    fc.constantFrom('', '#', '# comment', `${hex(KEY)} # ${hex(KEY)}`, '\r'),
    fc.string(),
  )
  const content = fc.oneof(
    fc.array(line).map((lines) => new TextEncoder().encode(lines.join('\n'))),
    fc.uint8Array({ maxLength: 200 }),
  )
  await fc.assert(
    fc.asyncProperty(content, async (bytes) => {
      const runtime = new FailingFiles()
      runtime.secretFiles = {
        read: async () => ({ bytes: bytes.slice(), shared: false }),
        replace: async () => {},
      }
      const read = await KeyFile.read(runtime, file).catch((error: unknown) => error)
      if (read instanceof KeyFile) {
        await read.use(async (keys) =>
          expect(keys.every(({ length }) => length === 32) && keys.length > 0).toBe(true),
        )
      } else expect(read).toMatchObject({ code: 'ERR_KEY_FILE' })
    }),
    { numRuns: 500 },
  )
})

it('a key where the path belongs is refused without being shown', async () => {
  for (const key of [hex(KEY), base64(KEY)]) {
    const error = await refusal(key)
    expect(error.code).toBe('ERR_OPTION_INVALID')
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(key)
  }
})

it('keys and a key file are not given both, nor anything but a path, nor keys that are no array', async () => {
  const bind = '127.0.0.1:0'
  await expect(Cluster.start({ name: 'a', bind, keys: [KEY], keyFile: file })).rejects.toMatchObject({
    code: 'ERR_OPTION_INVALID',
  })
  for (const bad of [{ keyFile: '' }, { keyFile: 7 }, { keys: hex(KEY) }]) {
    const options = { name: 'a', bind, ...bad } as never
    await expect(Cluster.start(options)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  }
})

it('a runtime without files refuses the option', async () => {
  const runtime = new FailingFiles()
  runtime.secretFiles = undefined
  const starting = Cluster.start({ name: 'a', bind: '127.0.0.1:0', keyFile: file, runtime })
  await expect(starting).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
})

it('a cluster that loses power in the middle of rotations starts again from its files, whatever the moment', async () => {
  for (let moment = 0; moment < 12; moment++) {
    const sim = new Simulation({ seed: 1 + moment })
    const names = ['a', 'b', 'c']
    const next = new Uint8Array(32).fill(7)
    for (const name of names) {
      sim.files(name).set('/key', new TextEncoder().encode(hex(KEY)))
      await sim.start(name, { keyFile: '/key' })
    }
    await sim.advance(2_000)
    sim
      .cluster('a')
      .rotateKey(next)
      .catch(() => {})
    await sim.advance(moment * 20)
    for (const name of names) sim.crash(name)
    await sim.advance(1_000)
    for (const name of names) await sim.start(name, { keyFile: '/key' })
    const nodes = names.map((name) => sim.cluster(name))
    await sim.until(() => nodes.every((node) => alive(node).length === 3), 20_000)
    await sim.settled(nodes[0]!.rotateKey(new Uint8Array(32).fill(9)))
    await sim.until(() => nodes.every((node) => node.metrics()['keys.held'] === 1), 20_000)
    const texts = names.map((name) => new TextDecoder().decode(sim.files(name).get('/key')))
    expect(texts.map(keysIn)).toEqual(names.map(() => ['09'.repeat(32)]))
    expect(sim.faults).toEqual([])
  }
})

/** Files that cannot be written for the time being; half a minute passes at once. */
class FailingFiles extends RuntimeAround {
  failing = true
  secretFiles: SecretFiles | undefined = {
    read: (path, mostBytes) => this.inner.secretFiles.read(path, mostBytes),
    replace: async (path, bytes) => {
      if (this.failing) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      await this.inner.secretFiles.replace(path, bytes)
    },
  }

  listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    return this.inner.listen(bind, handlers)
  }

  override setTimer(delayMs: number, callback: () => void): Timer {
    return this.inner.setTimer(delayMs === 30_000 ? 100 : delayMs, callback)
  }
}

/** A disk that writes when it is told to. */
class SlowFiles extends RuntimeAround {
  readonly #waiting: (() => void)[] = []
  readonly secretFiles: SecretFiles = {
    read: (path, mostBytes) => this.inner.secretFiles.read(path, mostBytes),
    replace: async (path, bytes) => {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      await this.inner.secretFiles.replace(path, bytes)
    },
  }

  get waiting(): number {
    return this.#waiting.length
  }

  write(): void {
    this.#waiting.shift()?.()
  }

  listen(bind: string, handlers: TransportHandlers): Promise<Transport> {
    return this.inner.listen(bind, handlers)
  }
}
