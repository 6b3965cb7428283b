import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Cluster, type ClusterOptions, generateKey, HearsayError } from '../../src/index.ts'
import { alive, sleep, start, startCluster, until } from './nodes.ts'

const good = { name: 'n', bind: '127.0.0.1:0', insecure: true } as const

async function codeOfStart(options: Partial<ClusterOptions>): Promise<string> {
  const error = await Cluster.start({ ...good, ...options }).then(
    async (node) => {
      await node.close()
      throw new Error('it started')
    },
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(HearsayError)
  const { code, message } = error as HearsayError
  expect(message.length).toBeGreaterThan(20)
  return code
}

describe('start rejects', () => {
  it.each([
    ['a malformed bind address', { bind: '10.0.0.1' }, 'ERR_ADDRESS_INVALID'],
    ['a port out of range', { bind: '127.0.0.1:70000' }, 'ERR_ADDRESS_INVALID'],
    ['a malformed seed', { seeds: ['nowhere'] }, 'ERR_ADDRESS_INVALID'],
    ['a name to advertise', { advertise: 'host.example:7946' }, 'ERR_ADDRESS_INVALID'],
    ['an address that is not of this host', { bind: '203.0.113.1:0' }, 'ERR_BIND_FAILED'],
    ['an empty name', { name: '' }, 'ERR_NAME_INVALID'],
    ['a name of 64 bytes', { name: 'é'.repeat(32) }, 'ERR_NAME_INVALID'],
    ['a name with half a character', { name: 'a\ud800' }, 'ERR_NAME_INVALID'],
    ['a key of the wrong size', { keys: [new Uint8Array(31)], insecure: false }, 'ERR_KEY_INVALID'],
    ['a key that is no hex and no base64', { keys: ['secret'], insecure: false }, 'ERR_KEY_INVALID'],
    ['no key at all', { insecure: false }, 'ERR_KEY_INVALID'],
    ['metadata of 513 bytes', { metadata: new Uint8Array(513) }, 'ERR_METADATA_TOO_LARGE'],
    ['a number out of bounds', { probeIntervalMs: 0 }, 'ERR_OPTION_INVALID'],
    ['a number that is none', { packetBytes: Number.NaN }, 'ERR_OPTION_INVALID'],
    ['an unknown profile', { profile: 'moon' as 'lan' }, 'ERR_OPTION_INVALID'],
    ['a misspelt option', { seed: [] } as Partial<ClusterOptions>, 'ERR_OPTION_INVALID'],
  ])('%s', async (_what, options, code) => {
    expect(await codeOfStart(options)).toBe(code)
  })

  it('an occupied port', async () => {
    const node = await start({ name: 'a' })
    expect(await codeOfStart({ bind: node.self.address })).toBe('ERR_BIND_FAILED')
    expect(alive(node)).toEqual(['a'])
  })

  it('several faults in one error that lists them all', async () => {
    const error = await Cluster.start({ ...good, name: '', bind: 'x', probeIntervalMs: -1 }).catch(
      (e: unknown) => e,
    )
    const { code, faults } = error as HearsayError
    expect(code).toBe('ERR_OPTIONS_INVALID')
    expect(faults.map((fault) => fault.code).sort()).toEqual([
      'ERR_ADDRESS_INVALID',
      'ERR_NAME_INVALID',
      'ERR_OPTION_INVALID',
    ])
  })

  it('with the reason of an aborted signal', async () => {
    const reason = new Error('not now')
    await expect(Cluster.start({ ...good, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const starting = Cluster.start({ ...good, seeds: ['127.0.0.1:9'], signal: controller.signal })
    controller.abort(reason)
    await expect(starting).rejects.toBe(reason)
  })
})

describe('a running node refuses and stays usable:', () => {
  it('seeds that do not answer', async () => {
    const node = await start({ name: 'a', joinTimeoutMs: 500 })
    await expect(node.join(['127.0.0.1:9'])).rejects.toMatchObject({ code: 'ERR_JOIN_FAILED' })
    await expect(node.join(['nowhere'])).rejects.toMatchObject({ code: 'ERR_ADDRESS_INVALID' })
    const other = await start({ name: 'b' })
    expect(await node.join([other.self.address])).toBe(1)
  })

  it('entries, keys and names that are too large or ill-formed', async () => {
    const node = await start({ name: 'a' })
    const blue = await node.joinNetwork('blue')
    const table = blue.table<unknown>('t')
    const codeOf = (call: () => unknown): string => {
      try {
        call()
      } catch (error) {
        return (error as HearsayError).code
      }
      return 'none'
    }
    expect(codeOf(() => table.set('k', 'x'.repeat(1023)))).toBe('ERR_ENTRY_TOO_LARGE')
    expect(codeOf(() => table.set('k'.repeat(255), 'x'.repeat(900)))).toBe('ERR_ENTRY_TOO_LARGE')
    expect(codeOf(() => table.set('k'.repeat(256), 1))).toBe('ERR_NAME_INVALID')
    expect(codeOf(() => table.set('k', undefined))).toBe('ERR_ENCODE_FAILED')
    expect(
      codeOf(() =>
        table.replaceOwn([
          ['ok', 1],
          ['bad', 1n],
        ]),
      ),
    ).toBe('ERR_ENCODE_FAILED')
    expect(codeOf(() => blue.table(''))).toBe('ERR_NAME_INVALID')
    expect(codeOf(() => node.setMetadata(new Uint8Array(600)))).toBe('ERR_METADATA_TOO_LARGE')
    expect(codeOf(() => blue.table('t', { encode: () => new Uint8Array(1), decode: () => 1 }))).toBe(
      'ERR_TABLE_REDEFINED',
    )
    await expect(node.joinNetwork('n'.repeat(64))).rejects.toMatchObject({ code: 'ERR_NAME_INVALID' })
    expect([...table.entries()]).toEqual([])
    table.set('k', 'fits')
    expect(table.get('k')).toEqual({ value: 'fits', owner: 'a' })
    expect(blue.table('t')).toBe(table)
    expect(await node.joinNetwork('blue')).toBe(blue)
  })

  it('every call after close and leave', async () => {
    for (const end of ['close', 'leave'] as const) {
      const node = await start({ name: 'a' })
      const blue = await node.joinNetwork('blue')
      const table = blue.table('t')
      await node[end]()
      const calls = [
        () => node.setMetadata(new Uint8Array(1)),
        () => node.network('blue'),
        () => blue.table('t'),
        () => blue.participants(),
        () => table.set('k', 1),
        () => table.get('k'),
        () => table.watch(),
        () => [...table.entries()],
      ]
      for (const call of calls) expect(call).toThrowError(expect.objectContaining({ code: 'ERR_CLOSED' }))
      await expect(node.join(['127.0.0.1:9'])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
      await expect(node.joinNetwork('red')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    }
  })
})

describe('bytes that nobody sealed', () => {
  it.each([
    ['with keys', {}],
    ['without', { insecure: true }],
  ])('are dropped and counted on both sockets, %s, and change nothing', async (_which, options) => {
    const nodes = await startCluster(2, options)
    const target = nodes[0]!
    const before = target.members()
    const port = Number(target.self.address.split(':')[1])
    const udp = createSocket('udp4')
    const junk = Array.from({ length: 400 }, (_, i) =>
      new Uint8Array(generateKey().map((byte) => byte ^ i)).slice(0, i % 33),
    )
    for (const bytes of junk) udp.send(bytes, port, '127.0.0.1')
    const streams = junk.slice(0, 50).map((bytes) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      return socket.on('error', () => {})
    })
    const dropped = (): number =>
      Object.entries(target.metrics()).reduce(
        (sum, [name, n]) => (name.startsWith('dropped.') ? sum + n : sum),
        0,
      )
    await until(() => dropped() >= 300)
    await sleep(300)
    expect(target.members()).toEqual(before)
    const late = await start({ name: 'late', seeds: [target.self.address], ...options })
    await until(() => alive(late).length === 3)
    for (const socket of streams) socket.destroy()
    udp.close()
  })
})
