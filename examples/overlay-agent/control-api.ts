import type { ReconcilerStatus } from '../../src/agent/index.ts'
import type { MemberStatus } from '../../src/index.ts'

/**
 * The control API of an overlay agent: HTTP with JSON on a Unix socket. Everything is idempotent; errors are
 * `{ code, message }` with a fitting HTTP status.
 *
 * | request | answer |
 * |---|---|
 * | `GET /status` | `StatusAnswer` |
 * | `GET /networks` | `NetworkInfo[]` |
 * | `PUT /networks/NAME` with a `NetworkSpec` | `NetworkInfo`; `ERR_CONFLICT` if it was joined otherwise |
 * | `DELETE /networks/NAME` | `{ removed }` |
 * | `GET /endpoints?network=NAME` | `EndpointInfo[]`, of all networks without a name |
 * | `PUT /networks/NAME/endpoints/MAC` with an `EndpointSpec` | `AttachAnswer` |
 * | `DELETE /networks/NAME/endpoints/MAC` | `{ removed }` |
 * | `POST /down` | `{}` once everything is removed; then the agent ends |
 */
export interface NetworkSpec {
  /** VXLAN network identifier, 1 to 16777215, the same on all hosts. */
  readonly vni: number
  /** A bridge that exists already. Default: the agent makes `br<vni>`, and removes it with the network. */
  readonly bridge?: string
  /** Name of the VXLAN device. Default `vx<vni>`. */
  readonly device?: string
}

export interface EndpointSpec {
  /**
   * All addresses of the endpoint, IPv4 or IPv6; those of an earlier call that are not named are withdrawn.
   */
  readonly ips: readonly string[]
}

export interface StatusAnswer {
  readonly name: string
  /** Where other members reach this agent. */
  readonly address: string
  readonly vtep: string
  /** Whether nobody answers this agent, so that it withdraws nothing. */
  readonly isolated: boolean
  readonly members: readonly MemberInfo[]
  readonly networks: readonly NetworkInfo[]
}

export interface MemberInfo {
  readonly name: string
  readonly address: string
  readonly status: MemberStatus
}

export interface NetworkInfo {
  readonly name: string
  readonly vni: number
  readonly device: string
  readonly bridge: string
  /** What the interface of an endpoint must be set to; missing until the device has been made. */
  readonly mtu?: number | undefined
  /**
   * `waiting`: no other member has been met yet, though some are expected. `joining`: its state is being
   * taken over. `ready`: the kernel follows it. Until then rows of an earlier process stay as they are.
   */
  readonly state: 'waiting' | 'joining' | 'ready'
  /** Names of the members that take part. */
  readonly participants: readonly string[]
  /** Those of them that use another VNI: nothing gets through between them and this host. */
  readonly strangers: readonly string[]
  /** How many endpoints this agent sees, and how many of them are attached here. */
  readonly endpoints: number
  readonly attached: number
  readonly kernel: KernelInfo
}

/** What the reconciler of a network says; its fields that are undefined are missing. */
export type KernelInfo = Omit<ReconcilerStatus, 'lastError'> & { readonly lastError?: string | undefined }

/** One address of one endpoint, as this agent sees it. */
export interface EndpointInfo {
  readonly network: string
  /** Missing for an endpoint without addresses. */
  readonly ip?: string | undefined
  readonly mac: string
  /** Of the host behind which the MAC is; missing while no host says that it has it. */
  readonly vtep?: string | undefined
  /** The member whose claim holds. */
  readonly owner: string
  /** Whether it is attached here. With another owner, it has been attached elsewhere since. */
  readonly local: boolean
}

export interface AttachAnswer {
  readonly network: string
  readonly mac: string
  readonly ips: readonly string[]
  readonly vtep: string
  readonly bridge: string
  /** What the interface of the endpoint must be set to; missing until the device has been made. */
  readonly mtu?: number | undefined
}

export interface RemovedAnswer {
  /** Whether there was anything to remove. */
  readonly removed: boolean
}
