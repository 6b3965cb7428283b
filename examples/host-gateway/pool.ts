import { createHash } from 'node:crypto'
import { contains, formatPrefix, type Prefix, parsePrefix, widthOf } from './prefix.ts'

/** A host's subnet has room for a few containers and the address of their bridge. */
const MIN_HOST_BITS = 2

/**
 * All subnets of one length in a range: what the hosts of a cluster choose from. Subnets are spelled as the
 * kernel does.
 */
export class SubnetPool {
  readonly range: Prefix
  readonly subnetLength: number
  /** How many subnets there are. */
  readonly size: bigint

  /** Throws a RangeError with a sentence about what does not fit. */
  constructor(range: Prefix, subnetLength: number) {
    const longest = widthOf(range.family) - MIN_HOST_BITS
    if (!Number.isInteger(subnetLength) || subnetLength < range.length || subnetLength > longest) {
      const message = `a subnet of ${formatPrefix(range)} has a length from ${range.length} to ${longest}`
      throw new RangeError(`${message}, not ${subnetLength}`)
    }
    this.range = range
    this.subnetLength = subnetLength
    this.size = 1n << BigInt(subnetLength - range.length)
  }

  /** Whether a text names a subnet of this pool, in its one spelling. */
  has(subnet: string): boolean {
    const prefix = parsePrefix(subnet)
    if (prefix === undefined || prefix.length !== this.subnetLength) return false
    return contains(this.range, prefix) && formatPrefix(prefix) === subnet
  }

  /** The range, such as `10.42.0.0/16`. */
  get name(): string {
    return formatPrefix(this.range)
  }

  /** For a sentence: `subnet of length 24 in 10.42.0.0/16`. */
  toString(): string {
    return `subnet of length ${this.subnetLength} in ${this.name}`
  }

  subnet(index: bigint): string {
    const { family, first } = this.range
    const shift = BigInt(widthOf(family) - this.subnetLength)
    return formatPrefix({ family, first: first + (index << shift), length: this.subnetLength })
  }

  /**
   * Every subnet once, in an order of its own for each host: the first ones of two hosts are rarely the same,
   * and where they are, the next ones rarely are.
   */
  *inOrderOf(host: string): Generator<string, void> {
    const hash = createHash('sha256').update(host).digest('hex')
    const start = BigInt(`0x${hash.slice(0, 32)}`)
    // Odd, so that it meets every index: the size is a power of two.
    const step = BigInt(`0x${hash.slice(32)}`) | 1n
    for (let turn = 0n; turn < this.size; turn++) yield this.subnet((start + turn * step) % this.size)
  }
}
