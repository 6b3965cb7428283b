import { canonicalIp, formatAddress, isWildcard, parseAddress } from './address.ts'

/** Where a socket sends to. */
export interface Target {
  readonly address: string
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
}

/** Peers remembered in each direction; when there are more, remembering starts anew. */
const MOST_REMEMBERED = 8192

/**
 * Peers' addresses, from text to what a socket wants and back. Parsing is remembered, so that no packet pays for it.
 *
 * A port bound to `0.0.0.0` or to an IPv4 address reaches IPv4 only, one bound to an IPv6 address IPv6 only, and one
 * bound to `[::]` reaches both: its IPv4 peers appear under their plain IPv4 addresses.
 */
export class NodeAddresses {
  readonly #families: readonly (4 | 6)[]
  readonly #targets = new Map<string, Target | null>()
  readonly #names = new Map<string, string | null>()

  /** @param boundIp the canonical IP address that the port is bound to */
  constructor(boundIp: string) {
    if (!boundIp.includes(':')) this.#families = [4]
    else this.#families = isWildcard(boundIp) ? [4, 6] : [6]
  }

  /** Nothing for text that is no `ip:port`, and for a family that this port does not reach. */
  target(address: string): Target | undefined {
    let target = this.#targets.get(address)
    if (target === undefined) {
      target = this.#parse(address)
      remember(this.#targets, address, target)
    }
    return target ?? undefined
  }

  /** The canonical `ip:port` of a peer as a socket names it; nothing for an address with a zone. */
  name(ip: string, port: number): string | undefined {
    const key = `${ip}:${port}`
    let name = this.#names.get(key)
    if (name === undefined) {
      const canonical = canonicalIp(ip)
      name = canonical === undefined ? null : formatAddress(canonical, port)
      remember(this.#names, key, name)
    }
    return name ?? undefined
  }

  #parse(text: string): Target | null {
    try {
      const { host, port, family } = parseAddress(text)
      if (family === undefined || port === 0 || !this.#families.includes(family)) return null
      return { address: formatAddress(host, port), host, port, family }
    } catch {
      return null
    }
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  if (map.size >= MOST_REMEMBERED) map.clear()
  map.set(key, value)
}
