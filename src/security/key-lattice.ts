import { finish, mix, mixNumber } from '../wire/mix.ts'

/** What became of a key that was brought into the cluster; it never goes back. */
export type KeyStage = 'install' | 'use' | 'retire'

/** The place of a key among all that were ever brought in. Of two brought in at once the lower id goes first. */
export interface KeyOrder {
  /** One more than any that was known where the key was brought in; below 2^53. */
  readonly generation: number
  readonly id: number
}

export interface RingKey extends KeyOrder {
  readonly stage: Exclude<KeyStage, 'retire'>
}

/**
 * How far the rotation of keys has come: a lattice, merged key by key to the later stage. All keys below `floor` are retired,
 * whether they are known here or not, so nothing has to be remembered of them.
 */
export interface KeyLattice {
  readonly floor: KeyOrder
  /** Keys at or above the floor, in their order. */
  readonly keys: readonly RingKey[]
}

/** Nothing has been rotated. Keys that nodes were started with are below all that are brought in. */
export const NO_ROTATION: KeyLattice = { floor: { generation: 0, id: 0 }, keys: [] }

/** Keys beyond these and the one in use, the lowest of them, are forgotten: a bound on what peers can make a node hold. */
export const MAX_RING_KEYS = 16

export function compareKeys(a: KeyOrder, b: KeyOrder): number {
  return a.generation - b.generation || a.id - b.id
}

/** The join of two lattices. Commutative, associative, idempotent. Returns `a` itself when `b` adds nothing. */
export function mergeLattices(a: KeyLattice, b: KeyLattice): KeyLattice {
  const floor = compareKeys(a.floor, b.floor) >= 0 ? a.floor : b.floor
  const keys: RingKey[] = []
  let [i, j] = [0, 0]
  while (i < a.keys.length || j < b.keys.length) {
    const [one, other] = [a.keys[i], b.keys[j]]
    const order = one === undefined ? 1 : other === undefined ? -1 : compareKeys(one, other)
    const key = order > 0 || (order === 0 && other!.stage === 'use') ? other! : one!
    if (order <= 0) i++
    if (order >= 0) j++
    if (compareKeys(key, floor) >= 0) keys.push(key.stage === one?.stage && order === 0 ? one : key)
  }
  const used = keyInUse({ floor, keys })
  const kept = keys.filter((key, k) => key === used || k >= keys.length - MAX_RING_KEYS)
  const same = floor === a.floor && kept.length === a.keys.length && kept.every((key, k) => key === a.keys[k])
  return same ? a : { floor, keys: kept }
}

/** Brings a key in, above all others that are known. */
export function installKey(lattice: KeyLattice, id: number): KeyLattice {
  const highest = lattice.keys.at(-1) ?? lattice.floor
  return withKey(lattice, { generation: highest.generation + 1, id, stage: 'install' })
}

/** The key that every node is to seal with, if any was brought so far. */
export function keyInUse(lattice: KeyLattice): RingKey | undefined {
  return lattice.keys.findLast(({ stage }) => stage === 'use')
}

/** The key that a step is to be taken with next; nothing at rest. */
export function keyUnderWay(lattice: KeyLattice): RingKey | undefined {
  const used = keyInUse(lattice)
  if (used !== undefined && compareKeys(used, lattice.floor) > 0) return used
  return lattice.keys.find(({ stage }) => stage === 'install')
}

/** Whether a node that lists these keys holds up the step that is next for a key. */
export function holdsUp(key: RingKey, listed: readonly number[]): boolean {
  return key.stage === 'use' ? listed[0] !== key.id : !listed.includes(key.id)
}

/**
 * Takes the next step, if every live member is ready for it: a key that all hold is used, and once all seal with it the
 * older ones retire. Returns the lattice itself if not.
 */
export function takeStep(lattice: KeyLattice, listed: Iterable<readonly number[]>): KeyLattice {
  const key = keyUnderWay(lattice)
  if (key === undefined) return lattice
  for (const ids of listed) if (holdsUp(key, ids)) return lattice
  const { generation, id } = key
  if (key.stage === 'use') return mergeLattices(lattice, { floor: { generation, id }, keys: [] })
  return withKey(lattice, { ...key, stage: 'use' })
}

/** Two independent halves. Equal lattices have equal digests; where nothing was rotated it is zero. */
export function latticeDigest(lattice: KeyLattice): { high: number; low: number } {
  if (lattice.keys.length === 0 && lattice.floor.generation === 0) return { high: 0, low: 0 }
  return { high: hash(0x7f4a7c15, lattice), low: hash(0x2545f491, lattice) }
}

function hash(seed: number, { floor, keys }: KeyLattice): number {
  let h = mix(mixNumber(seed, floor.generation), floor.id)
  for (const key of keys) h = mix(mix(mixNumber(h, key.generation), key.id), key.stage === 'use' ? 1 : 0)
  return finish(mix(h, keys.length))
}

function withKey(lattice: KeyLattice, key: RingKey): KeyLattice {
  return mergeLattices(lattice, { floor: NO_ROTATION.floor, keys: [key] })
}
