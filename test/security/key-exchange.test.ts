import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SyncDomain, SyncSession } from '../../src/dissemination/sync-session.ts'
import { KeyExchange, type KeyNews, readKeys, writeKeys } from '../../src/security/key-exchange.ts'
import { mergeLattices, NO_ROTATION, type RingKey } from '../../src/security/key-lattice.ts'
import { Reader } from '../../src/wire/bytes.ts'

const keys = fc.uniqueArray(
  fc.record<RingKey>({
    generation: fc.integer({ min: 1, max: 5 }),
    id: fc.nat(),
    stage: fc.constantFrom('install', 'use'),
  }),
  { maxLength: 16, selector: ({ id }) => id },
)

const news: fc.Arbitrary<KeyNews> = fc.record({ keys, floor: fc.nat({ max: 4 }) }).map(({ keys, floor }) => {
  const lattice = keys.reduce(
    (made, key) => mergeLattices(made, { floor: NO_ROTATION.floor, keys: [key] }),
    mergeLattices(NO_ROTATION, { floor: { generation: floor, id: floor }, keys: [] }),
  )
  return { lattice, bytes: new Map(lattice.keys.map(({ id }) => [id, new Uint8Array(32).fill(id)])) }
})

describe('what nodes tell each other of keys', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(news, (told) => {
        expect(readKeys(new Reader(writeKeys(told)))).toEqual(told)
      }),
    )
  })

  it('is refused where it is ill-formed, and never throws', () => {
    fc.assert(
      fc.property(news, fc.nat(), fc.integer({ min: 0, max: 255 }), (told, at, byte) => {
        const bytes = writeKeys(told)
        const cut = bytes.subarray(0, at % bytes.length)
        expect(readKeys(new Reader(cut))).toBeUndefined()
        bytes[at % bytes.length] = byte
        const read = readKeys(new Reader(bytes))
        if (read !== undefined) expect(mergeLattices(read.lattice, read.lattice)).toBe(read.lattice)
      }),
      { numRuns: 1000 },
    )
  })

  it('is said once by each side, and heard once', () => {
    const heard: KeyNews[] = []
    const told = writeKeys({ lattice: NO_ROTATION, bytes: new Map() })
    const exchange = new KeyExchange({ tell: () => told, learn: (what) => heard.push(what) > 0 })
    expect(exchange.next()).toBe(told)
    expect([exchange.next(), exchange.done]).toEqual([undefined, false])
    expect([exchange.receive(new Reader(told)), exchange.done]).toEqual([true, true])
    expect(exchange.receive(new Reader(told))).toBe(false)
    expect(heard).toHaveLength(1)
  })

  it.each([
    [true, true],
    [false, false],
  ])('is named on a stream that is sealed (%s): %s', (sealed, named) => {
    const domain: SyncDomain = {
      name: 'secret',
      mismatchIntervalMs: 1,
      sealedOnly: true,
      digest: () => ({ high: 1, low: 2 }),
      open: () => {
        throw new Error('never')
      },
    }
    const frames: Uint8Array[] = []
    new SyncSession('initiator', 'a', [domain], () => {}).start({
      remoteAddress: 'b:1',
      sealed,
      send: (frame) => frames.push(frame) > 0,
      end() {},
      destroy() {},
    })
    expect(new TextDecoder().decode(frames[0]).includes('secret')).toBe(named)
  })
})
