import { expect, test } from 'vitest'
import { TestClock } from '../dissemination/test-clock.ts'
import { nodes, type ReplicaNode, sync } from './replica-node.ts'

function scene(entries: number): [owner: ReplicaNode, a: ReplicaNode, b: ReplicaNode] {
  const [owner, a, b] = nodes(new TestClock(), 'owner', 'a', 'b') as [ReplicaNode, ReplicaNode, ReplicaNode]
  for (let i = 0; i < entries; i++) owner.set(`key ${i}`)
  for (const peer of [a, b]) sync(peer, owner)
  return [owner, a, b]
}

function hearDigestOf(node: ReplicaNode, peer: ReplicaNode): boolean {
  return node.replica.agrees(peer.replica.digest().low, { name: peer.name, address: peer.name })
}

test('a backlog of which all peers know everything is not told any further', () => {
  const [owner, a, b] = scene(100)
  expect(hearDigestOf(owner, a)).toBe(true)
  expect(owner.replica.queue.size).toBe(100)
  expect(hearDigestOf(owner, b)).toBe(true)
  expect(owner.replica.queue.size).toBe(0)
})

test('a backlog of which one peer lacks something is told on', () => {
  const [owner, a, b] = scene(100)
  hearDigestOf(owner, a)
  owner.set('one more')
  expect(hearDigestOf(owner, b)).toBe(false)
  expect(hearDigestOf(owner, a)).toBe(false)
  expect(owner.replica.queue.size).toBe(101)
})

test('few news are told to the end, whoever agrees', () => {
  const [owner, a, b] = scene(10)
  for (const peer of [a, b]) hearDigestOf(owner, peer)
  expect(owner.replica.queue.size).toBe(10)
})

test('of a backlog each news is in two rounds of gossip only', () => {
  const names = Array.from({ length: 12 }, (_, i) => `node ${i}`)
  const [owner] = nodes(new TestClock(), ...names) as [ReplicaNode]
  for (let i = 0; i < 100; i++) owner.set(`key ${i}`)
  const limit = owner.replica.transmitLimit()
  owner.takeNews()
  expect([limit, owner.replica.transmitLimit()]).toEqual([4, 8])
})
