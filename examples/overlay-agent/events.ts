import type { OverlayRow } from '../../src/agent/index.ts'
import type { MemberStatus } from '../../src/index.ts'
import type { Endpoint } from './endpoints.ts'

/** What an agent tells its operator, one JSON object a line on stdout. */
export type AgentEvent =
  | { readonly event: 'listening'; readonly name: string; readonly address: string }
  | {
      readonly event: 'member'
      readonly name: string
      readonly address: string
      readonly status: MemberStatus
    }
  | { readonly event: 'endpoint-set'; readonly endpoint: Endpoint; readonly owner: string }
  | {
      readonly event: 'endpoint-gone'
      readonly endpoint: Endpoint
      readonly owner: string
      readonly reason: 'deleted' | 'left' | 'failed'
    }
  /** Rows were changed. */
  | { readonly event: 'kernel'; readonly put: number; readonly removed: number; readonly durationMs: number }
  /**
   * What a dry run would have given to `bridge -batch -` and `ip -batch -`, and the rows as they would be
   * then.
   */
  | { readonly event: 'dry-run'; readonly commands: readonly string[]; readonly rows: readonly OverlayRow[] }
  | { readonly event: 'problem'; readonly message: string }
