import { beforeAll, describe, expect, it } from 'vitest'
import { readKeys } from '../../src/security/key-exchange.ts'
import { installKey, keyUnderWay, NO_ROTATION, takeStep } from '../../src/security/key-lattice.ts'
import { Keyring } from '../../src/security/keyring.ts'
import { RETIRE_GRACE_MS, RotatingRing } from '../../src/security/rotating-ring.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'
import { Reader } from '../../src/wire/bytes.ts'
import { FakeNetwork } from './fake-runtime.ts'

const OLD = new Uint8Array(32).fill(1)
const NEW = new Uint8Array(32).fill(2)
const NEWER = new Uint8Array(32).fill(3)

let sodium: Sodium
let [old, young, younger] = [0, 0, 0]
beforeAll(async () => {
  sodium = await loadSodium()
  const ids = new Keyring(sodium, [OLD, NEW, NEWER]).ids
  ;[old, young, younger] = [ids[0]!, ids[1]!, ids[2]!]
})

function setUp(keys: Uint8Array[] = [OLD]) {
  const network = new FakeNetwork()
  const keyring = new Keyring(sodium, keys)
  return { network, keyring, ring: new RotatingRing(network.runtime(1), keyring) }
}

const INSTALLED = () => ({ lattice: installKey(NO_ROTATION, young), bytes: new Map([[young, NEW]]) })
const step = (ring: RotatingRing): boolean =>
  ring.merge({ lattice: takeStep(ring.lattice, [[keyUnderWay(ring.lattice)!.id]]) })

describe('the ring of a node', () => {
  it('lists the key that seals first, then what comes next, then what is past', () => {
    const { ring } = setUp()
    expect(ring.listed).toEqual([old])
    ring.merge(INSTALLED())
    expect(ring.listed).toEqual([old, young])
    step(ring)
    expect(ring.listed).toEqual([young, old])
    ring.merge({ lattice: installKey(ring.lattice, younger), bytes: new Map([[younger, NEWER]]) })
    expect(ring.listed).toEqual([young, younger, old])
    step(ring)
    expect(ring.listed).toEqual([young, younger])
    expect(ring.keys()).toEqual([NEW, NEWER])
  })

  it('seals for whoever does not hold the key in use with the newest one that both hold', () => {
    const { ring, keyring } = setUp([OLD, NEWER])
    const sealedWith = (keys: number[]): number => {
      ring.sealFor({ name: 'b', address: 'b', keys })
      return keyring.keyFor('b').id
    }
    ring.merge(INSTALLED())
    step(ring)
    expect(sealedWith([old])).toBe(old)
    expect(sealedWith([old, young])).toBe(young)
    expect(sealedWith([younger, 99])).toBe(younger)
    expect(sealedWith([99])).toBe(young)
    expect(sealedWith([])).toBe(young)
    sealedWith([old])
    ring.sealAlike()
    expect(keyring.keyFor('b').id).toBe(young)
  })

  it('still opens with a retired key for a while, and seals with it for whoever holds nothing else, then wipes it', () => {
    const { ring, keyring, network } = setUp()
    ring.merge(INSTALLED())
    step(ring)
    step(ring)
    expect(ring.listed).toEqual([young])
    const retired = keyring.find(old)!.forKeeping()
    ring.sealFor({ name: 'b', address: 'b', keys: [old] })
    expect(keyring.keyFor('b').id).toBe(old)
    network.run(RETIRE_GRACE_MS - 1)
    expect(keyring.find(old)).toBeDefined()
    network.run(2)
    expect(keyring.find(old)).toBeUndefined()
    expect(retired).toEqual(new Uint8Array(32))
    expect(keyring.keyFor('b').id).toBe(young)
  })

  it('keeps a key that is brought in again while it is being retired', () => {
    const { ring, keyring, network } = setUp()
    ring.merge(INSTALLED())
    step(ring)
    step(ring)
    ring.merge({ lattice: installKey(ring.lattice, old), bytes: new Map([[old, OLD]]) })
    network.run(2 * RETIRE_GRACE_MS)
    expect(keyring.find(old)).toBeDefined()
    expect(ring.listed).toEqual([young, old])
  })

  it('takes nothing over where a key is missing or another one than it is said to be', () => {
    const { ring, keyring } = setUp()
    const { lattice } = INSTALLED()
    expect(() => ring.merge({ lattice })).toThrow(expect.objectContaining({ code: 'ERR_KEY_INVALID' }))
    expect(() => ring.merge({ lattice, bytes: new Map([[young, NEWER]]) })).toThrow()
    const two = installKey(lattice, younger)
    expect(() => ring.merge({ lattice: two, bytes: new Map([[young, NEW]]) })).toThrow()
    expect(ring.lattice).toBe(NO_ROTATION)
    expect(keyring.ids).toEqual([old])
  })

  it('tells all that another node needs to go along', () => {
    const [one, other] = [setUp().ring, setUp().ring]
    one.merge(INSTALLED())
    step(one)
    expect(other.merge(readKeys(new Reader(one.news()))!)).toBe(true)
    expect(other.listed).toEqual([young, old])
    expect(other.merge(readKeys(new Reader(one.news()))!)).toBe(false)
  })
})
