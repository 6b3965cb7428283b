import type { MemberEvent } from '../shared/follow-members.ts'
import type { ListeningEvent } from '../shared/start-node.ts'
import type { Problem } from './problem.ts'

/** What an agent tells its operator, one JSON object a line on stdout. */
export type AgentEvent =
  | ListeningEvent
  | MemberEvent
  /** The subnet that containers of this host may use from now on; without one, none. */
  | { readonly event: 'subnet'; readonly subnet?: string }
  /** A host has a subnet; whether a route leads there is another matter. */
  | {
      readonly event: 'claim-set'
      readonly subnet: string
      readonly gateway: string
      readonly owner: string
    }
  | {
      readonly event: 'claim-gone'
      readonly subnet: string
      readonly owner: string
      readonly reason: 'deleted' | 'left' | 'failed'
    }
  /** Routes were changed. */
  | { readonly event: 'kernel'; readonly put: number; readonly removed: number; readonly durationMs: number }
  | ({ readonly event: 'problem' } & Problem)
