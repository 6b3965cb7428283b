import { describe, expect, it } from 'vitest'
import { Pings } from '../../src/membership/pings.ts'
import type { Ack, Token } from '../../src/wire/messages.ts'
import { TestClock } from '../dissemination/test-clock.ts'

function ackOf(token: Token): Ack {
  return { token, sourceId: 1, members: 2, digests: [], coordinate: new Uint8Array(0) }
}

describe('a ping', () => {
  it('is answered by its token alone, and not once it is closed', () => {
    const pings = new Pings(new TestClock().runtime(1))
    const heard: string[] = []
    const ping = pings.open({
      onAck: (_, from) => heard.push(`ack ${from}`),
      onNack: () => heard.push('nack'),
    })
    const { high, low } = ping.token
    for (const token of [
      { high: high ^ 1, low },
      { high, low: low ^ 1 },
      { high: low, low: high },
    ]) {
      expect(pings.acked(ackOf(token), 'x:1')).toBe(false)
      expect(pings.nacked(token)).toBe(false)
    }
    expect(heard).toEqual([])
    expect(pings.acked(ackOf(ping.token), 'x:1')).toBe(true)
    expect(pings.nacked(ping.token)).toBe(true)
    expect(heard).toEqual(['ack x:1', 'nack'])
    ping.close()
    ping.close()
    expect(pings.acked(ackOf(ping.token), 'x:1')).toBe(false)
    expect(heard).toHaveLength(2)
  })

  it('that is closed twice closes no other one that came to have its token meanwhile', () => {
    const runtime = Object.assign(new TestClock().runtime(1), { randomUint32: () => 0xffff_fff7 })
    const pings = new Pings(runtime)
    const first = pings.open({ onAck() {} })
    first.close()
    const second = pings.open({ onAck() {} })
    first.close()
    expect(pings.acked(ackOf(second.token), 'x:1')).toBe(true)
    second.close()
    expect(pings.size).toBe(0)
  })

  it('may be one that takes no nacks', () => {
    const pings = new Pings(new TestClock().runtime(1))
    const ping = pings.open({ onAck() {} })
    expect(pings.nacked(ping.token)).toBe(true)
  })

  it('has a token of its own, and takes no more room when it is over', () => {
    const pings = new Pings(new TestClock().runtime(1))
    const open = Array.from({ length: 1000 }, () => pings.open({ onAck() {} }))
    expect(new Set(open.map(({ token }) => token.low)).size).toBe(1000)
    expect(new Set(open.map(({ token }) => token.high)).size).toBeGreaterThan(990)
    expect(pings.size).toBe(1000)
    for (const ping of open) ping.close()
    expect(pings.size).toBe(0)
  })
})
