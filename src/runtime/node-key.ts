import { randomBytes } from 'node:crypto'

/** A new cluster key: 32 random bytes. Keep it secret, and give the same one to every node. */
export function generateKey(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}
