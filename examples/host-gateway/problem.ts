/** Something that its operator should see to. Codes are stable, messages say what to do. */
export interface Problem {
  readonly code: ProblemCode
  /** The host, subnet or setting that it is about. */
  readonly subject: string
  readonly message: string
}

/**
 * | code | what is wrong |
 * |---|---|
 * | `ERR_GATEWAY_NOT_LOCAL` | no device of this host has the address given as `--gateway` |
 * | `ERR_GATEWAY_NOT_ON_LINK` | another host is not on the same L2 segment: it gets no route |
 * | `ERR_GATEWAY_TAKEN` | another host gives this host's address as its own: it gets no route |
 * | `ERR_SUBNET_INVALID` | another host claims what is no subnet of this host's range: it gets no route |
 * | `ERR_SUBNET_CONTESTED` | another host has won the subnet that this one had: it takes another |
 * | `ERR_RANGE_EXHAUSTED` | every subnet of the range is claimed: this host has none until one is given up |
 * | `ERR_CLAIM_FAILED` | the table did not take this host's claim |
 * | `ERR_FORWARDING_OFF` | the kernel does not forward packets between its devices |
 * | `ERR_ROUTES_FAILED` | the kernel is not as it should be; it is tried again |
 * | `ERR_BRIDGE_FAILED` | the bridge has not got its address; it is tried again |
 * | `ERR_HOST_UNREADABLE` | addresses, routes or settings of this host cannot be read |
 * | `ERR_STATE_NOT_SAVED` | the subnet could not be written to the state directory |
 * | `WARN_…` | a warning of the cluster; see `WarningCode` |
 */
export type ProblemCode =
  | 'ERR_GATEWAY_NOT_LOCAL'
  | 'ERR_GATEWAY_NOT_ON_LINK'
  | 'ERR_GATEWAY_TAKEN'
  | 'ERR_SUBNET_INVALID'
  | 'ERR_SUBNET_CONTESTED'
  | 'ERR_RANGE_EXHAUSTED'
  | 'ERR_CLAIM_FAILED'
  | 'ERR_FORWARDING_OFF'
  | 'ERR_ROUTES_FAILED'
  | 'ERR_BRIDGE_FAILED'
  | 'ERR_HOST_UNREADABLE'
  | 'ERR_STATE_NOT_SAVED'
  | `WARN_${string}`

/** A problem that keeps an agent from starting. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code: ProblemCode

  constructor({ code, message }: Problem) {
    super(`${code}: ${message}`)
    this.code = code
  }
}
