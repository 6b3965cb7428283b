import { isIP, SocketAddress } from 'node:net'

/**
 * Strict parsers for what comes from a peer or from a command line. Each returns the spelling in which the
 * kernel prints the value, so that rows compare as strings, or undefined for anything it would not take.
 */

/** A unicast IPv4 or IPv6 address, without zone. */
export function parseIp(text: string): string | undefined {
  const family = isIP(text)
  if (family === 4) return isUnicastIpv4(text) ? text : undefined
  if (family !== 6 || text.includes('%')) return undefined
  const ip = new SocketAddress({ address: text, family: 'ipv6' }).address
  const isEmbeddedIpv4 = ip.includes('.')
  return isEmbeddedIpv4 || ip === '::' || ip === '::1' || ip.startsWith('ff') ? undefined : ip
}

/**
 * The address of a VXLAN endpoint: as `parseIp`, and never link-local, since that would need an interface.
 */
export function parseVtep(text: string): string | undefined {
  const ip = parseIp(text)
  return ip === undefined || /^fe[89ab]/.test(ip) ? undefined : ip
}

/**
 * A network prefix such as `10.42.1.0/24`, with nothing beyond its length. Never a default route, which would
 * draw everything to one peer, and never link-local or loopback.
 */
export function parsePrefix(text: string): string | undefined {
  const [, address, length] = /^([0-9a-f:.]+)\/([1-9]\d{0,2})$/i.exec(text) ?? []
  if (address === undefined || length === undefined) return undefined
  const ip = parseVtep(address)
  if (ip === undefined) return undefined
  const bits = isIpv6(ip) ? ipv6Bits(ip) : ipv4Bits(ip)
  const prefix = Number(length)
  return prefix <= bits.length && !bits.includes('1', prefix) ? `${ip}/${prefix}` : undefined
}

/** A unicast MAC address, six pairs of hex digits with colons. */
export function parseMac(text: string): string | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined
  const mac = text.toLowerCase()
  const isGroup = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
  return isGroup || mac === '00:00:00:00:00:00' ? undefined : mac
}

/** The name of a network device, in letters that no tool reads as anything else. */
export function parseDevice(text: string): string | undefined {
  return /^[a-z0-9][a-z0-9_.-]{0,14}$/i.test(text) ? text : undefined
}

export function isIpv6(ip: string): boolean {
  return ip.includes(':')
}

function isUnicastIpv4(ip: string): boolean {
  const first = Number.parseInt(ip, 10)
  return first > 0 && first < 224 && first !== 127
}

function ipv4Bits(ip: string): string {
  return ip
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('')
}

function ipv6Bits(ip: string): string {
  const [head = '', tail = ''] = ip.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  return all.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}
