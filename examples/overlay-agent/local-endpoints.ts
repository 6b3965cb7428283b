import type { Here } from './desired-state.ts'

/** The endpoints of one network that are on this host: MACs with their IPs. No IP is at two of them. */
export class LocalEndpoints implements Here {
  readonly #ipsOf = new Map<string, readonly string[]>()
  readonly #macOf = new Map<string, string>()

  get size(): number {
    return this.#ipsOf.size
  }

  hasStation(mac: string): boolean {
    return this.#ipsOf.has(mac)
  }

  hasAddress(ip: string): boolean {
    return this.#macOf.has(ip)
  }

  ips(mac: string): readonly string[] {
    return this.#ipsOf.get(mac) ?? []
  }

  stations(): IterableIterator<string> {
    return this.#ipsOf.keys()
  }

  addresses(): IterableIterator<[ip: string, mac: string]> {
    return this.#macOf.entries()
  }

  /** Takes the IPs away from whoever has them here. Returns those that this endpoint no longer has. */
  put(mac: string, ips: readonly string[]): string[] {
    const dropped = this.ips(mac).filter((ip) => !ips.includes(ip))
    for (const ip of dropped) this.#macOf.delete(ip)
    for (const ip of ips) {
      const former = this.#macOf.get(ip)
      if (former !== undefined && former !== mac) {
        this.#ipsOf.set(
          former,
          this.ips(former).filter((other) => other !== ip),
        )
      }
      this.#macOf.set(ip, mac)
    }
    this.#ipsOf.set(mac, [...ips])
    return dropped
  }

  /** Returns the IPs that it had; undefined if it was not here. */
  delete(mac: string): readonly string[] | undefined {
    const ips = this.#ipsOf.get(mac)
    this.#ipsOf.delete(mac)
    for (const ip of ips ?? []) this.#macOf.delete(ip)
    return ips
  }

  toJSON(): { readonly mac: string; readonly ips: readonly string[] }[] {
    return [...this.#ipsOf].map(([mac, ips]) => ({ mac, ips }))
  }
}
