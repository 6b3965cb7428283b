import { callJson } from '../shared/json-client.ts'
import type { AgentStatus } from './status.ts'

/**
 * Speaks to the host gateway agent of this host. Calls reject with an `ApiError`: with the agent's own code,
 * or with `ERR_NO_AGENT` where none listens.
 */
export class HostGatewayClient {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  async status(): Promise<AgentStatus> {
    return (await callJson(this.socketPath, 'GET', '/status')) as AgentStatus
  }

  /** Resolves once it has left the cluster and removed everything. */
  async down(): Promise<void> {
    await callJson(this.socketPath, 'POST', '/down')
  }
}
