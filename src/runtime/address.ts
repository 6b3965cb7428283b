import { HearsayError } from '../errors.ts'

/**
 * Addresses as text: `10.0.0.2:7946`, `[fd00::2]:7946`, `host.name:7946`.
 *
 * Two spellings of one address become one string: IPv6 in its shortest lowercase form (RFC 5952), an IPv4 address mapped
 * into IPv6 (`::ffff:10.0.0.2`) as the IPv4 address that it is, names in lowercase. Zone ids (`fe80::1%eth0`) are
 * rejected: they mean something on one host only, and every address here may be told to others.
 */
export interface Address {
  /** An IP address without brackets, or a name; canonical. */
  readonly host: string
  /** 0 to 65535. Zero makes sense where a port is to be chosen, and nowhere else. */
  readonly port: number
  /** Missing for a name, which is to be resolved first. */
  readonly family: 4 | 6 | undefined
}

const EXAMPLES = '"10.0.0.2:7946", "[fd00::2]:7946" or "host.name:7946"'
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
const MAX_HOST_NAME_LENGTH = 253

/** Throws `ERR_ADDRESS_INVALID` with a sentence that says what is wrong and what to write. */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw invalid(String(text), 'is not a string')
  if (text.startsWith('[')) return parseBracketed(text)
  const colon = text.lastIndexOf(':')
  if (colon !== text.indexOf(':')) throw invalid(text, unbracketedFault(text))
  if (colon === -1) throw invalid(text, 'has no port')
  const host = text.slice(0, colon)
  const port = parsePort(text, text.slice(colon + 1))
  const ip = canonicalIp(host)
  if (ip !== undefined) return { host: ip, port, family: 4 }
  return { host: parseName(text, host), port, family: undefined }
}

/** Puts together what `parseAddress` takes apart; `host` is canonical and without brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether a canonical IP address stands for all addresses of this host. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** What to tell others of a bound address: for a wildcard the first address of this host that is of its family. */
export function addressForOthers(bound: string, local: readonly string[]): string {
  const { host, port, family } = parseAddress(bound)
  if (!isWildcard(host)) return bound
  const isV4 = (ip: string): boolean => !ip.includes(':')
  const own = local.find((ip) => isV4(ip) === (family === 4)) ?? local.find((ip) => family === 6 || isV4(ip))
  return formatAddress(own ?? (family === 4 ? '127.0.0.1' : '::1'), port)
}

/** The one spelling of an IP address, without brackets; nothing if it is none. */
export function canonicalIp(text: string): string | undefined {
  const bytes = parseIp(text)
  return bytes && formatIp(bytes)
}

/** An IP address as 4 or 16 bytes, mapped ones as 4; nothing if the text is none. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? unmapped(parseIpv6(text)) : parseIpv4(text)
}

/** The canonical text of 4 or 16 bytes. */
export function formatIp(bytes: Uint8Array): string {
  const plain = unmapped(bytes)!
  return plain.length === 4 ? plain.join('.') : formatIpv6(plain)
}

/** Whether 16 bytes are `::ffff:0:0/96`, an IPv4 address in the clothes of IPv6. */
export function isMappedIpv4(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return true
}

function unmapped(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && isMappedIpv4(bytes) ? bytes.subarray(12) : bytes
}

/** Four decimal numbers without leading zeros: `010.0.0.1` is octal to some and decimal to others. */
function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[i] = Number(part)
  }
  return bytes
}

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined
  const [head, tail, more] = text.split('::', 3)
  if (head === undefined || more !== undefined) return undefined
  const before = parseGroups(head, tail === undefined)
  const after = tail === undefined ? [] : parseGroups(tail, true)
  if (before === undefined || after === undefined) return undefined
  const missing = 8 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array<number>(missing).fill(0), ...after]
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]))
}

/** The 16-bit groups of one side of `::`; only the last of an address may be written like IPv4. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':', 9)
  for (const [i, part] of parts.entries()) {
    const ipv4 = last && i === parts.length - 1 ? parseIpv4(part) : undefined
    if (ipv4) groups.push(ipv4[0]! * 256 + ipv4[1]!, ipv4[2]! * 256 + ipv4[3]!)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

function formatIpv6(bytes: Uint8Array): string {
  const groups: string[] = []
  let start = 0
  let length = 1
  let run = 0
  for (let i = 0; i < 8; i++) {
    const group = bytes[2 * i]! * 256 + bytes[2 * i + 1]!
    groups.push(group.toString(16))
    run = group === 0 ? run + 1 : 0
    if (run > length) {
      length = run
      start = i + 1 - run
    }
  }
  if (length === 1) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

function parseBracketed(text: string): Address {
  const end = text.indexOf(']')
  if (end === -1) throw invalid(text, 'does not close its bracket')
  const inside = text.slice(1, end)
  const rest = text.slice(end + 1)
  if (inside.includes('%')) {
    throw invalid(text, 'has a zone id, which means nothing to other hosts; use an address without', '')
  }
  const host = inside.includes(':') ? canonicalIp(inside) : undefined
  if (host === undefined) throw invalid(text, 'has no IPv6 address in its brackets')
  if (!rest.startsWith(':')) throw invalid(text, 'has no port')
  return { host, port: parsePort(text, rest.slice(1)), family: host.includes(':') ? 6 : 4 }
}

function parsePort(text: string, port: string): number {
  if (port === '') throw invalid(text, 'has no port')
  if (!/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) {
    throw invalid(text, 'has a port that is not a whole number from 0 to 65535')
  }
  return Number(port)
}

function parseName(text: string, host: string): string {
  if (host === '')
    throw invalid(text, 'has no host; for all addresses of this host write "0.0.0.0" or "[::]"', '')
  const name = host.toLowerCase()
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.')
  if (/^\d+$/.test(labels.at(-1)!)) {
    throw invalid(text, 'is not an IPv4 address: that is four numbers from 0 to 255 without leading zeros')
  }
  if (name.length > MAX_HOST_NAME_LENGTH || !labels.every((label) => LABEL.test(label))) {
    throw invalid(text, 'has a host that is neither an IP address nor a host name in ASCII')
  }
  return name
}

function unbracketedFault(text: string): string {
  const whole = canonicalIp(text)
  const host = canonicalIp(text.slice(0, text.lastIndexOf(':')))
  return whole !== undefined || host !== undefined
    ? 'is an IPv6 address without brackets'
    : 'has more than one colon'
}

function invalid(text: string, fault: string, advice = `write ${EXAMPLES}`): HearsayError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new HearsayError('ERR_ADDRESS_INVALID', `${shown} ${fault}${advice && `; ${advice}`}`)
}
