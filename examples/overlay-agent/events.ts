import type { OverlayRow } from '../../src/agent/index.ts'
import type { MemberEvent } from '../shared/follow-members.ts'
import type { ListeningEvent } from '../shared/start-node.ts'
import type { Address, Station } from './tables.ts'

/** What an agent tells its operator, one JSON object a line on stdout. */
export type AgentEvent =
  | ListeningEvent
  | MemberEvent
  | { readonly event: 'joined' | 'parted'; readonly network: string }
  | {
      readonly event: 'entry-set'
      readonly network: string
      readonly table: 'stations' | 'addresses'
      readonly key: string
      readonly value: Station | Address
      readonly owner: string
    }
  | {
      readonly event: 'entry-gone'
      readonly network: string
      readonly table: 'stations' | 'addresses'
      readonly key: string
      readonly owner: string
      readonly reason: 'deleted' | 'left' | 'failed'
    }
  /** Rows were changed. */
  | {
      readonly event: 'kernel'
      readonly network: string
      readonly put: number
      readonly removed: number
      readonly durationMs: number
    }
  /**
   * What a dry run would have given to `bridge -batch -` and `ip -batch -`, and the rows as they would be
   * then.
   */
  | { readonly event: 'dry-run'; readonly commands: readonly string[]; readonly rows: readonly OverlayRow[] }
  | { readonly event: 'problem'; readonly network?: string; readonly message: string }
