import { createSocket } from 'node:dgram'
import { parseAddress } from '../../src/runtime/address.ts'
import { sleep } from '../waiting.ts'

export interface FloodOrder {
  readonly to: string
  readonly perSecond: number
  readonly forMs: number
  /** In hex; sent in turn, again and again. */
  readonly junk: readonly string[]
}

export interface FloodResult {
  readonly sent: number
  readonly tookMs: number
}

const TICK_MS = 5

/** Sends junk at a rate, in a process of its own: a message is the order, the answer says how it went. */
process.on('message', async ({ to, perSecond, forMs, junk }: FloodOrder) => {
  const socket = createSocket('udp4')
  const packets = junk.map((hex) => Buffer.from(hex, 'hex'))
  const { port } = parseAddress(to)
  const began = performance.now()
  let sent = 0
  for (let now = began; now - began < forMs; now = performance.now()) {
    const due = ((now - began) * perSecond) / 1_000
    for (; sent < due; sent++) socket.send(packets[sent % packets.length]!, port, '127.0.0.1')
    await sleep(TICK_MS)
  }
  const tookMs = performance.now() - began
  socket.close()
  process.send!({ sent, tookMs } satisfies FloodResult)
})
