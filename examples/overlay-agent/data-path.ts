import type { Kernel, OverlayRow } from '../../src/agent/index.ts'

/** What one network needs of a host, all of it made when rows are first asked for. */
export interface DataPath {
  readonly device: string
  /** The bridge to which endpoints are attached. */
  readonly bridge: string
  /** `remove` also removes the device, and the bridge if it was made for it. */
  readonly kernel: Kernel<OverlayRow>
  /** Of the device, once it has been made. */
  mtu(): Promise<number | undefined>
}

/** What a data path is made from. */
export interface DataPathSpec {
  readonly vni: number
  readonly device: string
  readonly bridge: string
  /** Whether the bridge is the agent's: to be made, and removed at the end. */
  readonly ownsBridge: boolean
}
