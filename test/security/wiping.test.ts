import { afterEach, beforeEach, expect, it } from 'vitest'
import { Simulation } from '../../sim/simulation.ts'
import { Keyring } from '../../src/security/keyring.ts'
import { RETIRE_GRACE_MS } from '../../src/security/rotating-ring.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'

const OLD = Uint8Array.from({ length: 32 }, (_, i) => 11 + i)
const NEW = Uint8Array.from({ length: 32 }, (_, i) => 77 + 3 * i)

let sodium: Sodium
let unchanged: Sodium
/** Every buffer that was given to libsodium or came from it, and held something secret. */
let buffers: { readonly bytes: Uint8Array; readonly what: string }[] = []

/** Watches the one libsodium of this process, which all nodes share. */
beforeEach(async () => {
  sodium = await loadSodium()
  unchanged = { ...sodium }
  buffers = []
  const watch = <T extends Uint8Array | undefined>(what: string, bytes: T): T => {
    if (bytes !== undefined) buffers.push({ what, bytes })
    return bytes
  }
  Object.assign(sodium, {
    deriveKey: (length, id, context, key) =>
      watch(`subkey ${context} ${id}`, unchanged.deriveKey(length, id, context, watch('key', key))),
    keyedHash: (message, key) => watch('root', unchanged.keyedHash(watch('transcript', message), key)),
    sharedSecret: (secret, other) => watch('shared', unchanged.sharedSecret(watch('secret', secret), other)),
    secretStream: (key, header) => {
      const stream = unchanged.secretStream(watch('channel key', key), header)
      return {
        push: (message, final) => stream.push(watch('frame out', message), final),
        pull: (sealed) => {
          const pulled = stream.pull(sealed)
          watch('frame in', pulled?.message)
          return pulled
        },
        free: () => stream.free(),
      }
    },
  } satisfies Partial<Sodium>)
})

afterEach(() => {
  Object.assign(sodium, unchanged)
})

function includes(bytes: Uint8Array, secret: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(secret))
}

/** What kinds of buffers hold one of the secrets now. */
function holding(...secrets: Uint8Array[]): string[] {
  const found = buffers.filter(({ bytes }) => secrets.some((secret) => includes(bytes, secret)))
  return [...new Set(found.map(({ what }) => what))].sort()
}

/** What the wire and nothing else knows of a key. */
function subkeysOf(key: Uint8Array): Uint8Array[] {
  const { primary } = new Keyring(unchanged, [key])
  return [primary.forPackets(), primary.forStreams()]
}

async function world(): Promise<Simulation> {
  const sim = new Simulation({ seed: 1 })
  for (const name of ['a', 'b', 'c']) await sim.start(name, { keys: [OLD] })
  await sim.advance(2_000)
  return sim
}

it('a key that was rotated out is nowhere any more once its grace is over', async () => {
  const sim = await world()
  const old = [OLD, ...subkeysOf(OLD)]
  expect(holding(...old)).toContain('key')
  await sim.settled(sim.cluster('a').rotateKey(NEW))
  await sim.advance(RETIRE_GRACE_MS + 5_000)
  expect(holding(...old)).toEqual([])
})

it('frames that carry keys are wiped as soon as they are sealed or read', async () => {
  const sim = await world()
  let carried = 0
  const { secretStream } = sodium
  sodium.secretStream = (key, header) => {
    const stream = secretStream(key, header)
    const push = stream.push.bind(stream)
    stream.push = (message, final) => {
      if (includes(message, NEW)) carried++
      return push(message, final)
    }
    return stream
  }
  await sim.settled(sim.cluster('a').rotateKey(NEW))
  await sim.advance(2_000)
  expect(carried).toBeGreaterThan(3)
  expect(holding(NEW).filter((what) => what.startsWith('frame'))).toEqual([])
})

it('the keys of a stream, and what they were made of, are wiped when it is open', async () => {
  await world()
  const made = buffers.filter(({ what }) =>
    /^(secret|shared|transcript|root|channel key|subkey hs)/.test(what),
  )
  expect(made.length).toBeGreaterThan(20)
  const kept = made.filter(({ bytes, what }) => {
    // The second part of a channel key is the header, which is no secret.
    const secret = what.startsWith('subkey hs') ? bytes.subarray(0, 32) : bytes
    return secret.some((byte) => byte !== 0)
  })
  expect(kept.map(({ what }) => what)).toEqual([])
})

it('nodes that have closed leave no key behind, and do not touch those of the caller', async () => {
  const given = OLD.slice()
  const sim = new Simulation({ seed: 1 })
  const nodes = [await sim.start('a', { keys: [given] }), await sim.start('b', { keys: [given] })]
  await sim.settled(nodes[0]!.rotateKey(NEW))
  await sim.advance(1_000)
  for (const node of nodes) await sim.settled(node.close())
  expect(given).toEqual(OLD)
  expect(holding(NEW, ...subkeysOf(NEW))).toEqual([])
  // The array given is the caller's; all others were wiped.
  expect(holding(OLD, ...subkeysOf(OLD))).toEqual([])
})

it('of keys one of which is malformed nothing is kept', () => {
  expect(() => new Keyring(sodium, [OLD, NEW, 'not a key'])).toThrow()
  expect(holding(OLD, NEW, ...subkeysOf(OLD), ...subkeysOf(NEW))).toEqual([])
})
