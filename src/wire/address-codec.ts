import { HearsayError } from '../errors.ts'
import {
  formatAddress,
  formatIp,
  isMappedIpv4,
  isWildcard,
  parseAddress,
  parseIp,
} from '../runtime/address.ts'
import type { Reader, Writer } from './bytes.ts'

/**
 * An address that packets can be sent to: one tag byte (4 or 6), the IP address (4 or 16 bytes), the port (2 bytes).
 * Each address has exactly one encoding, so that equal records are equal bytes: IPv4 never travels mapped into IPv6.
 */

/** Bytes of the longest encoding. */
export const MAX_ADDRESS_BYTES = 19

/** Writes `ip:port`. Throws `ERR_ADDRESS_INVALID` for names, wildcards and port 0, which are nowhere to send to. */
export function writeAddress(writer: Writer, address: string): Writer {
  const { host, port } = parseAddress(address)
  const ip = parseIp(host)
  if (ip === undefined || port === 0 || isWildcard(host)) {
    throw new HearsayError(
      'ERR_ADDRESS_INVALID',
      `"${address}" cannot be told to other nodes; resolve names and wildcards, and choose a port, first`,
    )
  }
  return writer
    .u8(ip.length === 4 ? 4 : 6)
    .raw(ip)
    .u16(port)
}

/** Reads a canonical `ip:port`; anything that `writeAddress` does not write fails. */
export function readAddress(reader: Reader): string {
  const tag = reader.u8()
  if (tag !== 4 && tag !== 6) reader.fail()
  const ip = reader.raw(tag === 4 ? 4 : 16)
  const port = reader.u16()
  if (reader.failed) return ''
  const host = formatIp(ip)
  if (port === 0 || isWildcard(host) || isMappedIpv4(ip)) {
    reader.fail()
    return ''
  }
  return formatAddress(host, port)
}
