import type { MemberSnapshot } from '../../src/index.ts'
import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import { Keyring } from '../../src/security/keyring.ts'
import { NonceSource } from '../../src/security/nonces.ts'
import { SealedPackets } from '../../src/security/sealed-packets.ts'
import { loadSodium } from '../../src/security/sodium.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { writeMemberRecord } from '../../src/wire/member-record.ts'
import { beginMessage, endMessage, MESSAGE } from '../../src/wire/messages.ts'

export interface Sealer {
  (body: Uint8Array): Uint8Array
  /** Goes on as another process would: in another session. */
  renew(): void
}

/** Seals packets in a session of its own, as a node with this key and label would. */
export async function sealer(key: Uint8Array, label: string): Promise<Sealer> {
  const sodium = await loadSodium()
  const runtime = new NodeRuntime()
  const nonces = new NonceSource((bytes) => runtime.fillRandom(bytes))
  const packets = new SealedPackets(sodium, new Keyring(sodium, [key]), label, nonces)
  return Object.assign((body: Uint8Array) => packets.seal(body), { renew: () => packets.renewNonce() })
}

/** One message, its type and length in front. */
export function message(type: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer()
  const start = beginMessage(writer, type)
  write(writer)
  endMessage(writer, start)
  return writer.copy()
}

/** "This member has left", by better right than what anyone knows of it: what would hurt most, were it believed. */
export function farewellOf(member: MemberSnapshot): Uint8Array {
  const { name, address, epoch, incarnation, metadata } = member
  return message(MESSAGE.member, (writer) =>
    writeMemberRecord(writer, {
      name,
      address,
      epoch,
      incarnation: incarnation + 1,
      left: true,
      metadata,
      minVersion: 1,
      maxVersion: 1,
      hard: [],
      soft: [],
      keys: [],
    }),
  )
}
