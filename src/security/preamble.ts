import { WIRE_VERSION } from './packet-codec.ts'

/** What sealed packets and the first message of sealed streams begin with: version, kind, key id (4). */
export const PREAMBLE_BYTES = 6

/**
 * Associated data: a preamble and the cluster's label. The same bytes serve every sealing of that kind; only
 * the key id is written anew, and the first `PREAMBLE_BYTES` are what goes on the wire.
 */
export function associatedData(kind: number, label: string): Uint8Array {
  const labelBytes = new TextEncoder().encode(label)
  const associated = new Uint8Array(PREAMBLE_BYTES + labelBytes.length)
  associated[0] = WIRE_VERSION
  associated[1] = kind
  associated.set(labelBytes, PREAMBLE_BYTES)
  return associated
}

export function writeKeyId(bytes: Uint8Array, id: number): void {
  bytes[2] = id >>> 24
  bytes[3] = id >>> 16
  bytes[4] = id >>> 8
  bytes[5] = id
}

export function readKeyId(bytes: Uint8Array): number {
  return ((bytes[2]! << 24) | (bytes[3]! << 16) | (bytes[4]! << 8) | bytes[5]!) >>> 0
}
