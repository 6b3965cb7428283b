import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Change, Cluster, Codec, HearsayError, Network, Owned, Table } from '../../src/index.ts'
import { Hosts } from './hosts.ts'

interface Peer {
  readonly ip: string
  readonly port: number
}

const TEXT: Codec<string> = {
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => new TextDecoder().decode(bytes),
}

async function alone(): Promise<Network> {
  const hosts = await Hosts.joined(1, 1)
  return hosts.node('n0').network('blue')
}

function errorOf(call: () => unknown): HearsayError {
  try {
    call()
  } catch (error) {
    return error as HearsayError
  }
  throw new Error('nothing was thrown')
}

describe('a table', () => {
  it('has the types of what its codec encodes and decodes', async () => {
    const network = await alone()
    const peers = network.table<Peer>('peers')
    expectTypeOf(peers).toEqualTypeOf<Table<Peer>>()
    expectTypeOf(peers.set).parameters.toEqualTypeOf<[key: string, value: Peer]>()
    expectTypeOf(peers.delete('k')).toBeBoolean()
    expectTypeOf(peers.get('k')).toEqualTypeOf<Owned<Peer> | undefined>()
    expectTypeOf(peers.entries()).toExtend<Iterable<readonly [string, Owned<Peer>]>>()
    expectTypeOf(peers.claims('k')[0]!).toExtend<Owned<Peer> & { readonly hidden: boolean }>()
    expectTypeOf(peers.watch()).toEqualTypeOf<AsyncIterableIterator<Change<Peer>>>()
    expectTypeOf(peers.replaceOwn).toBeCallableWith(new Map([['k', { ip: '10.0.0.1', port: 1 }]]))
    expectTypeOf(network.table('text', TEXT)).toEqualTypeOf<Table<string>>()
    expectTypeOf<Cluster['joinNetwork']>().returns.toEqualTypeOf<Promise<Network>>()
    // @ts-expect-error a value of another type
    peers.set('wrong', 'text')
    // @ts-expect-error a codec of another type
    expect(() => network.table<Peer>('text', TEXT)).not.toThrow()
  })

  it('can be given a Map, and tells of what is in it as it was', async () => {
    const table = (await alone()).table<Peer>('peers')
    const peers = new Map([
      ['a', { ip: '10.0.0.1', port: 1 }],
      ['b', { ip: '10.0.0.2', port: 2 }],
    ])
    table.replaceOwn(peers)
    expect(new Map([...table.entries()].map(([key, { value }]) => [key, value]))).toEqual(peers)
    table.replaceOwn([])
    expect([...table.entries()]).toEqual([])
  })

  it('can be changed while it is walked', async () => {
    const table = (await alone()).table<number>('numbers')
    for (let i = 0; i < 10; i++) table.set(`k${i}`, i)
    for (const [key, { value }] of table.entries()) {
      if (value % 2 === 0) table.delete(key)
      else table.set(key, value * 10)
    }
    expect([...table.entries()].map(([, { value }]) => value)).toEqual([10, 30, 50, 70, 90])
  })

  it('keeps a value as it was when it was set, whatever becomes of the bytes', async () => {
    const network = await alone()
    const scratch = Buffer.from('before')
    const table = network.table<string>('t', {
      encode: () => scratch,
      decode: (bytes) => {
        const text = new TextDecoder().decode(bytes)
        bytes.fill(0)
        return text
      },
    })
    table.set('k', '')
    scratch.write('after!')
    expect(table.get('k')!.value).toBe('before')
    expect(table.get('k')!.value).toBe('before')
  })

  it('is the same one when it is asked for again, and refuses another codec', async () => {
    const network = await alone()
    const table = network.table('t', TEXT)
    expect(network.table('t', { ...TEXT })).toBe(table)
    expect(network.table('t')).toBe(table)
    const other: Codec<string> = { encode: TEXT.encode, decode: () => '' }
    expect(errorOf(() => network.table('t', other)).code).toBe('ERR_TABLE_REDEFINED')
    // @ts-expect-error half a codec
    const half = errorOf(() => network.table('half', { encode: TEXT.encode }))
    expect(half).toMatchObject({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining("'half'") })
    for (const name of ['', 'a\u0000b', 'x'.repeat(64), 1 as never]) {
      expect(errorOf(() => network.table(name)).code).toBe('ERR_NAME_INVALID')
    }
  })

  it('refuses keys that are too long or no text, and says how long they may be', async () => {
    const table = (await alone()).table<string>('t')
    table.set('x'.repeat(255), '')
    table.set('', 'the empty key is a key')
    const wrong: readonly (readonly [key: unknown, says: string])[] = [
      [
        'x'.repeat(256),
        "The key of an entry has 256 bytes of UTF-8, more than 255; shorten 'xxxxxxxxxxxxxxxxxxxx…'.",
      ],
      ['ü'.repeat(128), '256 bytes of UTF-8, more than 255'],
      ['\ud800', 'half a surrogate pair'],
      [undefined, 'must be a string, not undefined'],
      [7, 'must be a string, not a number'],
      [{}, 'must be a string, not an object of Object'],
    ]
    for (const [key, says] of wrong) {
      for (const call of [
        () => table.set(key as string, ''),
        () => table.delete(key as string),
        () => table.replaceOwn([[key as string, '']]),
      ]) {
        expect(errorOf(call)).toMatchObject({
          code: 'ERR_NAME_INVALID',
          message: expect.stringContaining(says),
        })
      }
    }
    expect([...table.entries()]).toHaveLength(2)
  })

  it('refuses values that do not fit, and says how large they may be', async () => {
    const hosts = new Hosts(1)
    const name = 'n'.repeat(63)
    await hosts.start(name)
    await hosts.join([name], 'b'.repeat(63))
    const table = hosts.node(name).network('b'.repeat(63)).table('t'.repeat(63), TEXT)
    expect(errorOf(() => table.set('k', 'x'.repeat(1025)))).toMatchObject({
      code: 'ERR_ENTRY_TOO_LARGE',
      message: "The value of 'k' has 1025 bytes, more than 1024; store less, or a reference.",
    })
    const most = 1139 - 3 * 63 - 40 - 1 - 1
    table.set('k', 'x'.repeat(most))
    expect(errorOf(() => table.set('k', 'x'.repeat(most + 1)))).toMatchObject({
      code: 'ERR_ENTRY_TOO_LARGE',
      message: expect.stringMatching(
        /^The entry 'k' takes 1140 bytes with its names, more than 1139; shorten/,
      ),
    })
    expect(table.get('k')!.value).toHaveLength(most)
  })

  it('refuses what its codec cannot encode, with the reason and the cause, and changes nothing', async () => {
    const network = await alone()
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    const json = network.table<unknown>('json')
    for (const value of [cyclic, undefined, 1n, () => 1]) {
      const error = errorOf(() => json.set('k', value))
      expect(error).toMatchObject({ code: 'ERR_ENCODE_FAILED', cause: expect.any(TypeError) })
      expect(error.message).toBe(
        `The codec of table 'json' cannot encode the value of 'k': ${(error.cause as Error).message}`,
      )
    }
    const results: readonly (readonly [encode: () => unknown, says: string])[] = [
      [() => 'text', "cannot encode the value of 'k': encode returned a string, not a Uint8Array"],
      [async () => new Uint8Array(), 'encode returned an object of Promise, not a Uint8Array'],
      [() => null, 'encode returned null, not a Uint8Array'],
      [() => [1, 2], 'encode returned an object of Array, not a Uint8Array'],
      [
        () => {
          throw 'no error at all'
        },
        "cannot encode the value of 'k': no error at all",
      ],
    ]
    for (const [i, [encode, says]] of results.entries()) {
      const table = network.table<string>(`wrong-${i}`, { ...TEXT, encode: encode as () => Uint8Array })
      for (const call of [() => table.set('k', ''), () => table.replaceOwn([['k', '']])]) {
        expect(errorOf(call)).toMatchObject({
          code: 'ERR_ENCODE_FAILED',
          message: expect.stringContaining(says),
        })
      }
      expect(table.get('k')).toBeUndefined()
    }
  })

  it('declares all of a set, or, if one entry of it is wrong, nothing', async () => {
    const table = (await alone()).table<string>('t')
    table.set('old', '1')
    const set = [
      ['new', '2'],
      ['x'.repeat(256), '3'],
    ] as const
    expect(errorOf(() => table.replaceOwn(set)).code).toBe('ERR_NAME_INVALID')
    expect([...table.entries()]).toEqual([['old', { value: '1', owner: 'n0' }]])
  })
})
