import { isIPv4, isIPv6, SocketAddress } from 'node:net'

/** A range of addresses of one family: those that share the first `length` bits with `first`. */
export interface Prefix {
  readonly family: 4 | 6
  /** The lowest address, as a number: its bits beyond `length` are zero. */
  readonly first: bigint
  readonly length: number
}

/** How many bits an address has. */
export function widthOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128
}

/** An address on its own: a prefix of full length. Undefined for anything else, zones included. */
export function parseAddress(text: string): Prefix | undefined {
  if (isIPv4(text)) return { family: 4, first: ipv4Bits(text), length: 32 }
  const bits = isIPv6(text) ? ipv6Bits(text) : undefined
  return bits === undefined ? undefined : { family: 6, first: bits, length: 128 }
}

/** `10.42.0.0/16`. Undefined for anything else, also where bits are set beyond the length. */
export function parsePrefix(text: string): Prefix | undefined {
  const [, addressText = '', lengthText = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const address = parseAddress(addressText)
  const length = Number(lengthText)
  if (address === undefined || length > address.length) return undefined
  const { family, first } = address
  const isExact = BigInt.asUintN(widthOf(family) - length, first) === 0n
  return isExact ? { family, first, length } : undefined
}

/** As the kernel spells it: two equal prefixes have one spelling. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`
}

/** The lowest address of a prefix, or the one so many after it. */
export function formatAddress({ family, first }: Prefix, offset = 0n): string {
  const bits = first + offset
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (bits >> BigInt(112 - 16 * index)) & 0xffffn)
  const address = groups.map((group) => group.toString(16)).join(':')
  return new SocketAddress({ address, family: 'ipv6' }).address
}

/** Whether all of `inner` lies in `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false
  const shift = BigInt(widthOf(outer.family) - outer.length)
  return outer.first >> shift === inner.first >> shift
}

function ipv4Bits(text: string): bigint {
  return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
}

/**
 * Undefined where a zone is named, or an IPv4 address embedded: neither belongs into a route between hosts.
 */
function ipv6Bits(text: string): bigint | undefined {
  if (text.includes('%') || text.includes('.')) return undefined
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}
