import type { Reconciler, ReconcilerStatus, RouteRow } from '../../src/agent/index.ts'
import type { MemberStatus } from '../../src/index.ts'
import { describeError } from '../shared/describe-error.ts'
import type { Problem } from './problem.ts'

/** What a running agent says about itself. */
export interface AgentStatus {
  readonly name: string
  readonly address: string
  /** Whether no other member answers it. */
  readonly isolated: boolean
  readonly members: readonly {
    readonly name: string
    readonly address: string
    readonly status: MemberStatus
  }[]
  readonly range: string
  readonly subnetLength: number
  readonly gateway: string
  /** The subnet that containers of this host may use now. */
  readonly subnet: string | undefined
  /**
   * How it stands with it: held, claimed and not yet safe to use, waiting to choose one, or there is none.
   */
  readonly claim: 'held' | 'claiming' | 'waiting' | 'exhausted'
  /** The routes that this host should have. */
  readonly routes: readonly RouteRow[]
  /** How its routes are kept, and the address of its bridge. */
  readonly kernel: KernelStatus
  readonly bridge?: KernelStatus
  /** What is wrong now: peers that get no route, and why; settings of this host. */
  readonly problems: readonly Problem[]
}

export type KernelStatus = Omit<ReconcilerStatus, 'lastError'> & { readonly lastError: string | undefined }

export function kernelStatus<Row>(reconciler: Reconciler<Row>): KernelStatus {
  const { lastError, ...status } = reconciler.status()
  return { ...status, lastError: lastError === undefined ? undefined : describeError(lastError) }
}
