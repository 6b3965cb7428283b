/**
 * Members are summed up in buckets, by the first bits of their ids. Sums are kept for the most buckets that are ever compared; those of
 * fewer are sums of them.
 */
export const MOST_BUCKETS = 1024
export const LEAST_BUCKETS = 256

/** In how many buckets so many members are compared: each sum costs bytes, and so does each member of a bucket that differs. */
export function bucketsFor(members: number): number {
  return members < MOST_BUCKETS ? LEAST_BUCKETS : MOST_BUCKETS
}

/** The bucket of an id among so many, a power of two. */
export function bucketOf(id: number, buckets: number): number {
  return id >>> (Math.clz32(buckets) + 1)
}

/** The first id of a bucket among so many. */
export function bucketStart(bucket: number, buckets: number): number {
  return bucket * (0x1_0000_0000 / buckets)
}

/** The sums of so many buckets, each from those that it consists of. */
export function foldSums(sums: Uint32Array, buckets: number): Uint32Array {
  const each = sums.length / buckets
  const folded = new Uint32Array(buckets)
  for (let i = 0; i < sums.length; i++) folded[Math.floor(i / each)]! += sums[i]!
  return folded
}

/** Some of the buckets. */
export class BucketSet {
  /** A bit each, the lowest of the first byte for the first bucket. */
  readonly bytes: Uint8Array

  /** Those whose bits are set. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Those in which two lists of sums differ. */
  static differing(a: Uint32Array, b: Uint32Array): BucketSet {
    const set = new BucketSet(new Uint8Array(a.length / 8))
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) set.add(i)
    return set
  }

  /** How many there are, in the set or not. */
  get buckets(): number {
    return this.bytes.length * 8
  }

  add(bucket: number): void {
    this.bytes[bucket >>> 3]! |= 1 << (bucket & 7)
  }

  has(bucket: number): boolean {
    return (this.bytes[bucket >>> 3]! & (1 << (bucket & 7))) !== 0
  }

  /** Whether the bucket of an id is among them. */
  covers(id: number): boolean {
    return this.has(bucketOf(id, this.buckets))
  }
}
