import { describe, expect, it } from 'vitest'
import { Dialogue } from '../../src/membership/dialogue.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { MAX_METADATA_BYTES, MIN_PACKET_BYTES, PACKET_OVERHEAD_BYTES } from '../../src/wire/limits.ts'
import type { MemberRecord } from '../../src/wire/member-record.ts'
import { readMemberRecord } from '../../src/wire/member-record.ts'
import { MAX_COORDINATE_BYTES, MAX_PROBE_DIGESTS, MESSAGE, readMessages } from '../../src/wire/messages.ts'
import { recordOf } from './records.ts'

const TOKEN = { high: 0xffff_ffff, low: 0xffff_ffff }

function setUp(changes: Partial<MemberRecord> = {}) {
  const record = (name: string): MemberRecord => recordOf(name, changes)
  const list = new MemberList(record('self'.padEnd(changes.metadata ? 63 : 4, 's')))
  const member = list.add(record('peer'.padEnd(changes.metadata ? 63 : 4, 'p')), 'alive', 0)
  const sent: { to: string; types: number[]; names: string[]; bytes: number }[] = []
  const dialogue = new Dialogue(list, new ProbeSchedule(list), {
    send: (to, _, write) => {
      const writer = new Writer()
      write(writer)
      const types: number[] = []
      const names: string[] = []
      const wellFormed = readMessages(writer.view(), (type, payload) => {
        types.push(type)
        if (type === MESSAGE.member) names.push(readMemberRecord(payload).name)
        return !payload.failed
      })
      expect(wellFormed).toBe(true)
      sent.push({ to, types, names, bytes: writer.length })
    },
    digestsFor: () => Array.from({ length: MAX_PROBE_DIGESTS }, () => ({ network: 1, digest: 2 })),
    coordinate: () => new Uint8Array(MAX_COORDINATE_BYTES),
  })
  const ping = { token: TOKEN, close() {} }
  const asked = {
    token: TOKEN,
    round: 0,
    targetId: list.self.id,
    targetNonce: 0,
    sourceId: member.id,
    members: 0,
    digests: [],
  }
  return {
    list,
    member,
    sent,
    ping: () => dialogue.ping(member, ping),
    ack: () => dialogue.ack(asked, member.address, member),
  }
}

describe('a probe and its answer', () => {
  it('of a member that is alive carry no record', () => {
    const { ping, ack, sent } = setUp()
    ping()
    ack()
    expect(sent.map(({ types }) => types)).toEqual([[MESSAGE.ping], [MESSAGE.ack]])
  })

  it.each(['suspect', 'failed', 'left'] as const)(
    'of a member that is %s tell it so, and who says so; in a ping that comes first, so that the answer can refute',
    (verdict) => {
      const { list, member, ping, ack, sent } = setUp()
      list.update(member, { ...member.record, hard: [1] }, verdict, 0)
      ping()
      ack()
      expect(sent.map(({ types }) => types)).toEqual([
        [MESSAGE.member, MESSAGE.member, MESSAGE.ping],
        [MESSAGE.ack, MESSAGE.member, MESSAGE.member],
      ])
      for (const { to, names } of sent) {
        expect(to).toBe(member.address)
        expect(names).toEqual(['peer', 'self'])
      }
    },
  )

  it('fit the smallest packet, whatever they have to tell', () => {
    const { list, member, ping, ack, sent } = setUp({
      address: '[1111:1111:1111:1111:1111:1111:1111:1111]:65535',
      incarnation: Number.MAX_SAFE_INTEGER,
      metadata: new Uint8Array(MAX_METADATA_BYTES),
      hard: [1, 2, 3, 4, 5],
      soft: [1, 2, 3],
    })
    list.update(member, member.record, 'failed', 0)
    ping()
    ack()
    for (const { bytes, names } of sent) {
      expect(bytes).toBeLessThanOrEqual(MIN_PACKET_BYTES - PACKET_OVERHEAD_BYTES)
      // What it is accused of is worth more than who says so.
      expect(names).toEqual([member.name])
    }
  })
})
