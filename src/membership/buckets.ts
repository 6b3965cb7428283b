/** Members are summed up in as many buckets, by the first byte of their ids. */
export const BUCKETS = 256

const BYTES = BUCKETS / 8

export function bucketOf(id: number): number {
  return id >>> 24
}

/** The first id of a bucket. */
export function bucketStart(bucket: number): number {
  return bucket * 0x1_000_000
}

/** Some of the buckets. */
export class BucketSet {
  /** A bit each, the lowest of the first byte for the first bucket. */
  readonly bytes: Uint8Array

  /** None, or those whose bits are set in `BucketSet.BYTES` bytes. */
  constructor(bytes: Uint8Array = new Uint8Array(BYTES)) {
    this.bytes = bytes
  }

  static readonly BYTES: number = BYTES

  /** Those in which two lists of sums differ. */
  static differing(a: Uint32Array, b: Uint32Array): BucketSet {
    const set = new BucketSet()
    for (let i = 0; i < BUCKETS; i++) if (a[i] !== b[i]) set.add(i)
    return set
  }

  add(bucket: number): void {
    this.bytes[bucket >>> 3]! |= 1 << (bucket & 7)
  }

  has(bucket: number): boolean {
    return (this.bytes[bucket >>> 3]! & (1 << (bucket & 7))) !== 0
  }
}
