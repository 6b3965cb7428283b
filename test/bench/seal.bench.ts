/**
 * What a packet costs to seal and open, over the two bare calls of libsodium that it needs: `npm run bench:seal`.
 * Exits with 1 if it is more than 1.5 times as much at 500 bytes.
 */
import libsodium from 'libsodium-wrappers'
import { Keyring } from '../../src/security/keyring.ts'
import { NonceSource } from '../../src/security/nonces.ts'
import { SealedPackets } from '../../src/security/sealed-packets.ts'
import { loadSodium } from '../../src/security/sodium.ts'

const MOST_AT_500 = 1.5
const ROUNDS = 41
const PACKETS_A_ROUND = 4000

const sodium = await loadSodium()
const keyring = new Keyring(sodium, [new Uint8Array(32).fill(7)])
const fill = (byte: number) => (bytes: Uint8Array) => void bytes.fill(byte)
const sender = new SealedPackets(sodium, keyring, 'bench', new NonceSource(fill(1)))
const receiver = new SealedPackets(sodium, keyring, 'bench', new NonceSource(fill(2)))

const key = new Uint8Array(32).fill(7)
const nonce = new Uint8Array(24)
const associated = new Uint8Array(11)

let sink = 0

function ours(body: Uint8Array): void {
  const opened = receiver.open(sender.seal(body))
  if (typeof opened === 'string') throw new Error(opened)
  sink += opened.body.length
}

function bare(body: Uint8Array): void {
  const sealed = libsodium.crypto_aead_xchacha20poly1305_ietf_encrypt(body, associated, null, nonce, key)
  const opened = libsodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, associated, nonce, key)
  sink += opened.length
}

function microsecondsEach(work: (body: Uint8Array) => void, body: Uint8Array): number {
  const start = processorUs()
  for (let i = 0; i < PACKETS_A_ROUND; i++) work(body)
  return (processorUs() - start) / PACKETS_A_ROUND
}

/** Of this process alone, whatever else the machine does. */
function processorUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

console.log('bytes   ours µs   bare µs   ratio (median of rounds, least to most)')
for (const bytes of [100, 500, 1362]) {
  const body = new Uint8Array(bytes).map((_, i) => i)
  const oursUs: number[] = []
  const bareUs: number[] = []
  const ratios: number[] = []
  for (let round = -3; round < ROUNDS; round++) {
    const a = microsecondsEach(ours, body)
    const b = microsecondsEach(bare, body)
    if (round < 0) continue
    oursUs.push(a)
    bareUs.push(b)
    ratios.push(a / b)
  }
  const ratio = median(ratios)
  const spread = `${ratios[0]!.toFixed(2)} to ${ratios.at(-1)!.toFixed(2)}`
  const row = [
    String(bytes).padStart(5),
    median(oursUs).toFixed(2).padStart(9),
    median(bareUs).toFixed(2).padStart(9),
  ]
  console.log(`${row.join(' ')}   ${ratio.toFixed(2)} (${spread})`)
  if (bytes === 500 && ratio > MOST_AT_500) process.exitCode = 1
}
if (sink === 0) throw new Error('nothing was opened')
