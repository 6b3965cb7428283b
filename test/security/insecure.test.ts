import { expect, it, vi } from 'vitest'
import { SecureTransport } from '../../src/security/secure-transport.ts'
import { FakeNetwork } from './fake-runtime.ts'

vi.mock('libsodium-wrappers', () => {
  throw new Error('libsodium was loaded')
})

const options = {
  bind: '10.0.0.1:7946',
  label: 'blue',
  maxInboundStreams: 4,
  streamIdleMs: 1000,
  streamLifetimeMs: 10_000,
  maxStreamBytes: 1_000_000,
  handshakeTimeoutMs: 1000,
}
const handlers = { onPacket() {}, onStream: () => undefined, onFault() {} }

it('a node without keys never loads libsodium', async () => {
  const runtime = new FakeNetwork().runtime(1)
  const plain = await SecureTransport.start(runtime, { ...options, keys: [] }, handlers)
  await plain.close()
  const key = new Uint8Array(32).fill(1)
  await expect(SecureTransport.start(runtime, { ...options, keys: [key] }, handlers)).rejects.toThrow()
})
