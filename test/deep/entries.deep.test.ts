import { memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { TestClock } from '../dissemination/test-clock.ts'
import { held, nodes, type ReplicaNode, sync } from '../network-state/replica-node.ts'

const KEYS = 1_000
const WRITES = 1_000_000
/** Far less than a million writes would take if any trace of them stayed, far more than chance. */
const SLACK_BYTES = 8_000_000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heldBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = memoryUsage()
  return heapUsed + external
}

test('a million sets and deletes of a thousand keys leave owner and receivers, by gossip and by sync, where they were', () => {
  const [owner, gossiping, syncing] = nodes(new TestClock(), 'owner', 'gossiping', 'syncing') as [
    ReplicaNode,
    ReplicaNode,
    ReplicaNode,
  ]
  const write = (from: number, until: number): void => {
    for (let i = from; i < until; i++) {
      if (i % (2 * KEYS) < KEYS) owner.set(`${i % KEYS}`, `value ${i}`)
      else owner.delete(`${i % KEYS}`)
      if (i % 10 === 0) gossiping.hear(owner.takeNews())
      if (i % 100 === 0) gossiping.takeNews()
      if (i % 5_000 === 0) sync(syncing, owner)
    }
    gossiping.hear(owner.takeNews())
    gossiping.takeNews()
    sync(syncing, owner)
  }
  const all = [owner, gossiping, syncing]
  const state = (): Record<string, number>[] => all.map((node) => held(node, 'owner'))

  write(0, 21_000)
  const [before, bytesBefore] = [state(), heldBytes()]
  write(21_000, WRITES + 21_000)
  const bytes = heldBytes() - bytesBefore
  expect(state()).toEqual(before)
  expect(bytes).toBeLessThan(SLACK_BYTES)
  for (const { replica } of all) expect(replica.digest()).toEqual(owner.replica.digest())
  console.info(`${bytes} bytes more after ${WRITES} writes`)
}, 300_000)
