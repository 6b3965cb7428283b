import type { RowRules } from './kernel.ts'

/** A route of the kernel: packets for `destination` go to the neighbouring router `via`. */
export interface RouteRow {
  /** A network prefix, such as `10.42.1.0/24` or `fd42:1::/64`. */
  readonly destination: string
  /** The gateway, of the same address family and on a link of this host. */
  readonly via: string
  /** The device behind which the gateway is. Needed for link-local gateways only; left out, any will do. */
  readonly device?: string
  /** Set by a dump on a route with attributes that we never write, such as an MTU. */
  readonly oddity?: string
  /** Set by a dump on a route of our protocol with another metric than ours. */
  readonly metric?: number
  /** Set by a dump on a second, third ... route in one slot. */
  readonly copy?: number
}

/** Our routes exclude each other by destination: all of them have the same metric. */
export const routeRules: RowRules<RouteRow> = {
  slotOf({ destination, metric, copy }) {
    if (metric === undefined && copy === undefined) return destination
    return `${destination} metric ${metric ?? 'ours'} copy ${copy ?? 1}`
  },
  same(a, b) {
    const isSameDevice = a.device === undefined || b.device === undefined || a.device === b.device
    const isSameSlot = a.destination === b.destination && a.metric === b.metric && a.copy === b.copy
    return isSameSlot && a.via === b.via && isSameDevice && a.oddity === b.oddity
  },
}
