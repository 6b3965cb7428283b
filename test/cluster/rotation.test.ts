import { expect, it } from 'vitest'
import { generateKey } from '../../src/index.ts'
import { alive, startCluster, until, warningsOf } from './nodes.ts'

it('nodes on real sockets change their key while entries are written, and lose nothing', async () => {
  const nodes = await startCluster(4)
  const warnings = nodes.map(warningsOf)
  const kept = nodes.map((): (readonly Uint8Array[])[] => [])
  for (const [i, node] of nodes.entries()) node.on('keyring', (keys) => kept[i]!.push(keys))
  const tables = await Promise.all(
    nodes.map(async (node) => (await node.joinNetwork('blue')).table<number>('t')),
  )
  const key = generateKey()
  let written = 0
  const writing = setInterval(() => {
    written++
    for (const [i, table] of tables.entries()) table.set(`k${i}`, written)
  }, 5)
  await nodes[2]!.rotateKey(key)
  clearInterval(writing)
  await until(() => nodes.every((node) => node.metrics()['keys.rotations'] === 1))
  await until(() => tables.every((table) => nodes.every((_, i) => table.get(`k${i}`)?.value === written)))
  for (const told of kept) expect(told.at(-1)).toEqual([key])
  for (const node of nodes) {
    expect(alive(node)).toHaveLength(4)
    const { 'dropped.unknown-key': packets, 'dropped.stream-unknown-key': streams } = node.metrics()
    expect([packets, streams]).toEqual([0, 0])
  }
  expect(warnings.flat()).toEqual([])
})
