/**
 * Stable codes of every error that Hearsay raises. A code never changes its meaning; messages may be reworded.
 *
 * | code | raised by | what to do |
 * |---|---|---|
 * | `ERR_OPTIONS_INVALID` | `Cluster.start`, several faults at once | read `faults`, one error each |
 * | `ERR_OPTION_INVALID` | an option out of its bounds, or half a codec | use a value within the bounds named |
 * | `ERR_ADDRESS_INVALID` | an address that is not `host:port` | write `10.0.0.2:7946` or `[fd00::2]:7946` |
 * | `ERR_NAME_INVALID` | an empty, oversized or ill-formed name or key | shorten or correct it |
 * | `ERR_KEY_INVALID` | a key that is not 32 bytes, or none at all | make one with `generateKey()` |
 * | `ERR_KEY_FILE` | a `keyFile` that cannot be read or holds no key | make one with `hearsay keygen --out FILE` |
 * | `ERR_INSECURE` | `rotateKey` of a node that runs without keys | start it with `keys` |
 * | `ERR_ROTATION_BLOCKED` | a rotation of keys that is not over in time | see to the members that it names; it goes on |
 * | `ERR_BIND_FAILED` | the port is occupied or the address not local | choose another `bind` |
 * | `ERR_JOIN_FAILED` | no seed answered | check addresses, keys, label, firewall |
 * | `ERR_NAME_CONFLICT` | another live process uses this name | choose another `name` |
 * | `ERR_NETWORK_NOT_JOINED` | `network(name)` of a network not joined | call `joinNetwork` first |
 * | `ERR_ENTRY_TOO_LARGE` | a value, or an entry as a whole, that does not fit one packet | store less, or a reference |
 * | `ERR_METADATA_TOO_LARGE` | metadata of more than 512 bytes | store less, or use a table |
 * | `ERR_TABLE_REDEFINED` | a table opened again with other codecs | open it once and share it |
 * | `ERR_ENCODE_FAILED` | the codec of a table threw or returned no bytes | see `cause` |
 * | `ERR_CLOSED` | a call after `close` or `leave` | start a new node |
 * | `ERR_COMMAND_FAILED` | an agent, when a command of iproute2 failed | see what it said |
 * | `ERR_ROWS_REFUSED` | an agent, when the kernel did not take some rows | read `refused`, one reason each |
 * | `ERR_GATEWAY_NOT_ON_LINK` | a row whose gateway is not a direct neighbour | put both hosts on one L2 segment |
 * | `ERR_ROUTE_FOREIGN` | a row in whose place is a route of somebody else | remove that one, or use another metric |
 * | `ERR_DEVICE_FOREIGN` | a device of the name wanted that carries no mark of ours | remove it, or choose another name |
 * | `ERR_DEVICE_UNSTABLE` | a device of ours that is not as it was just made | find who else changes it |
 * | `ERR_VNI_IN_USE` | a VNI that another device of this host has | remove that one, or choose another VNI |
 * | `ERR_VTEP_NOT_LOCAL` | a VTEP address that no device of this host has | give it to one; it is tried again |
 * | `ERR_BRIDGE_MISSING` | a bridge that is not there | make it; it is tried again |
 * | `ERR_RUNTIME` | the platform failed under a running node | see `cause` |
 */
export type ErrorCode =
  | 'ERR_OPTIONS_INVALID'
  | 'ERR_OPTION_INVALID'
  | 'ERR_ADDRESS_INVALID'
  | 'ERR_NAME_INVALID'
  | 'ERR_KEY_INVALID'
  | 'ERR_KEY_FILE'
  | 'ERR_INSECURE'
  | 'ERR_ROTATION_BLOCKED'
  | 'ERR_BIND_FAILED'
  | 'ERR_JOIN_FAILED'
  | 'ERR_NAME_CONFLICT'
  | 'ERR_NETWORK_NOT_JOINED'
  | 'ERR_ENTRY_TOO_LARGE'
  | 'ERR_METADATA_TOO_LARGE'
  | 'ERR_TABLE_REDEFINED'
  | 'ERR_ENCODE_FAILED'
  | 'ERR_CLOSED'
  | 'ERR_COMMAND_FAILED'
  | 'ERR_ROWS_REFUSED'
  | 'ERR_GATEWAY_NOT_ON_LINK'
  | 'ERR_ROUTE_FOREIGN'
  | 'ERR_DEVICE_FOREIGN'
  | 'ERR_DEVICE_UNSTABLE'
  | 'ERR_VNI_IN_USE'
  | 'ERR_VTEP_NOT_LOCAL'
  | 'ERR_BRIDGE_MISSING'
  | 'ERR_RUNTIME'

const BRAND = Symbol.for('hearsay.error')

/** Every error that Hearsay throws or rejects with, but for an `AbortSignal`'s own reason. */
export class HearsayError extends Error {
  override readonly name = 'HearsayError'
  readonly code: ErrorCode
  /** The single faults behind an `ERR_OPTIONS_INVALID`; empty otherwise. */
  readonly faults: readonly HearsayError[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; faults?: readonly HearsayError[] } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.faults = options.faults ?? []
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Holds across several installed copies of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND in value
  }
}
