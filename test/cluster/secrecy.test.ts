import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/simulation.ts'
import { Cluster, type ClusterOptions } from '../../src/index.ts'
import { Keyring } from '../../src/security/keyring.ts'
import { loadSodium } from '../../src/security/sodium.ts'
import { Tap } from '../attacks/tap.ts'
import { alive, start, startCluster, until, warningsOf } from './nodes.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 161 + 2 * i)
const NEXT = Uint8Array.from({ length: 32 }, (_, i) => 250 - 3 * i)
const LAST = Uint8Array.from({ length: 32 }, (_, i) => 19 + 5 * i)

const EVERYTHING = {
  depth: Number.POSITIVE_INFINITY,
  showHidden: true,
  maxArrayLength: null,
  maxStringLength: null,
} as const

/** The keys above and what is derived of them. */
let secrets: Uint8Array[]
let folder: string

beforeAll(async () => {
  const sodium = await loadSodium()
  secrets = [KEY, NEXT, LAST].flatMap((key) => {
    const { primary } = new Keyring(sodium, [key])
    return [key, primary.forPackets(), primary.forStreams()]
  })
  folder = await mkdtemp(join(tmpdir(), 'hearsay-secrecy-'))
})

afterAll(() => rm(folder, { recursive: true }))

/** Eight bytes from each place of a secret, in every form in which text shows bytes. */
function* traces(secret: Uint8Array): Generator<string> {
  for (let at = 0; at + 8 <= secret.length; at++) {
    const bytes = Buffer.from(secret.subarray(at, at + 8))
    const hex = bytes.toString('hex')
    yield hex
    yield hex.replace(/..(?=.)/g, '$& ')
    yield [...bytes].join(',')
    // The bytes of a file that holds it as text.
    yield [...Buffer.from(hex)].join(',')
    yield [...bytes].map((byte, i) => `"${at + i}":${byte}`).join(',')
    yield bytes.toString('latin1')
    if (at % 3 > 0) continue
    // Two characters depend on what follows.
    yield bytes.toString('base64').slice(0, 10)
    yield bytes.toString('base64url').slice(0, 10)
  }
}

function expectSecret(text: string): void {
  const shapes = [text, text.toLowerCase(), text.replace(/\s+/g, ' '), text.replace(/\s+/g, '')]
  for (const secret of secrets) {
    for (const trace of traces(secret)) {
      if (shapes.some((shape) => shape.includes(trace))) expect.fail(`shows ${trace}: ${text.slice(0, 500)}`)
    }
  }
}

/** Everything that any log, error tracker or debugger would make of a value. */
function shown(value: unknown): string[] {
  const json = JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? `${field}` : field))
  const stack = value instanceof Error ? [value.stack ?? '', value.message] : []
  return [inspect(value, EVERYTHING), String(value), json ?? '', ...stack]
}

function expectAllSecret(...values: unknown[]): void {
  for (const value of values) for (const text of shown(value)) expectSecret(text)
}

async function failureOf(options: object): Promise<unknown> {
  return Cluster.start({ name: 'a', bind: '127.0.0.1:0', ...options } as ClusterOptions).then(
    async (cluster) => {
      await cluster.close()
      expect.unreachable()
    },
    (error: unknown) => error,
  )
}

describe('the search for keys', () => {
  it.each<[string, (key: Buffer) => unknown]>([
    ['hex', (key) => ({ deep: [{ error: key.toString('hex') }] })],
    ['upper case hex', (key) => key.toString('hex').toUpperCase()],
    ['base64', (key) => new Error(`bad key ${key.toString('base64')}`)],
    ['base64url', (key) => key.toString('base64url')],
    ['a part of it', (key) => key.toString('hex').slice(9, 30)],
    ['a typed array', (key) => new Map([['key', Uint8Array.from(key)]])],
    ['a buffer', (key) => ({ cause: key })],
    ['an array', (key) => [...key]],
  ])('finds one as %s', (_, show) => {
    for (const secret of secrets) expect(() => expectAllSecret(show(Buffer.from(secret)))).toThrow(/shows/)
  })
})

describe('a key never shows', () => {
  it('in what a running cluster tells of itself: the nodes, metrics, members, events and warnings, through rotations', async () => {
    const nodes = await startCluster(3, { keys: [KEY] })
    const warnings = nodes.map(warningsOf)
    const stranger = await start({
      name: 'stranger',
      keys: [LAST],
      seeds: nodes.map(({ self }) => self.address),
      joinTimeoutMs: 300,
    })
    const fromStranger = warningsOf(stranger)
    await until(() => fromStranger.length > 0 && warnings.flat().length > 0)
    const rotation = nodes[1]!.rotateKey(NEXT)
    expectAllSecret(...nodes)
    await rotation
    for (const node of [...nodes, stranger]) {
      expectAllSecret(node, node.metrics(), node.members(), node.self)
    }
    expectAllSecret(warnings, fromStranger)
    const blocked = await nodes[0]!.rotateKey(LAST, { timeoutMs: 1 }).catch((error: unknown) => error)
    expect(blocked).toMatchObject({ code: 'ERR_ROTATION_BLOCKED' })
    expectAllSecret(blocked)
  })

  it('in errors about it, whatever is wrong with it and wherever it was put', async () => {
    const hex = Buffer.from(KEY).toString('hex')
    const base64 = Buffer.from(KEY).toString('base64')
    const file = join(folder, 'key')
    await writeFile(file, `${hex}\n${base64.slice(1)}\n`, { mode: 0o600 })
    const wrong: object[] = [
      ...[
        hex.slice(1),
        `${hex}0`,
        `0x${hex}`,
        ` ${hex}`,
        base64.slice(0, 42),
        `${base64}=`,
        `"${base64}"`,
      ].map((key) => ({ keys: [key] })),
      { keys: [KEY.subarray(1)] },
      { keys: [Uint8Array.from([...KEY, 1])] },
      { keys: [[...KEY]] },
      { keys: [{ ...KEY }] },
      { keys: [new Uint16Array(KEY)] },
      { keys: [KEY, 'nothing'] },
      { keys: hex },
      { keys: KEY },
      { keys: { hex } },
      { key: hex },
      { keyFile: hex },
      { keyFile: base64 },
      { keyFile: KEY },
      { keyFile: file },
      { keyFile: file, keys: [KEY] },
      { keys: [hex], label: base64.repeat(9) },
      { keys: [hex], acceptPlaintext: hex },
      { keys: [hex], insecure: hex, bind: '127.0.0.1:99999', name: '' },
      { acceptPlaintext: true, keys: [] },
    ]
    for (const options of wrong) {
      const error = await failureOf(options)
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_/) })
      expectAllSecret(error)
    }
    const node = await start({ name: 'a', keys: [KEY] })
    for (const key of [hex.slice(1), KEY.subarray(1), [...KEY], `${base64}\n`]) {
      const error = await node.rotateKey(key as string).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_KEY_INVALID' })
      expectAllSecret(error)
    }
  })

  it('on the wire, while it is handed to others', async () => {
    const runtime = new Tap()
    const nodes = await startCluster(2, { keys: [KEY] })
    const tapped = await start({ name: 'tapped', keys: [KEY], runtime, seeds: [nodes[0]!.self.address] })
    await until(() => alive(tapped).length === 3)
    await tapped.rotateKey(NEXT)
    await until(() => nodes.every((node) => node.metrics()['keys.rotations'] === 1))
    expect(runtime.streams.length).toBeGreaterThan(1)
    const sent = [
      ...runtime.packets.map(({ bytes }) => bytes),
      ...runtime.streams.flatMap(({ chunks }) => chunks),
    ]
    const wire = Buffer.concat(sent)
    for (const secret of secrets) {
      for (let at = 0; at + 8 <= secret.length; at++) {
        expect(wire.includes(Buffer.from(secret.subarray(at, at + 8)))).toBe(false)
      }
    }
  })

  it('in a simulation, its trace and the disks of its hosts', async () => {
    const sim = new Simulation({ seed: 3 })
    sim.files('a').set('/key', new TextEncoder().encode(Buffer.from(KEY).toString('hex')))
    await sim.start('a', { keyFile: '/key' })
    await sim.start('b', { keys: [KEY] })
    await sim.settled(sim.cluster('a').rotateKey(NEXT))
    await sim.advance(1_000)
    expectAllSecret(sim.traceHash, sim.faults)
    // Circular, so nobody makes JSON of it.
    const text = inspect(sim, EVERYTHING)
    expect(text).toContain('VirtualWorld')
    expectSecret(text)
  })
})
