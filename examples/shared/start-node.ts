import { Cluster } from '../../src/index.ts'
import { followMembers, type MemberEvent } from './follow-members.ts'
import type { NodeOptions } from './node-options.ts'

/** It takes part in the cluster, and takes requests on its control socket. */
export interface ListeningEvent {
  readonly event: 'listening'
  readonly name: string
  readonly address: string
  readonly socket: string
}

/** Starts the node of an agent, with the seeds it was given and the peers that an earlier process of it remembered. */
export async function startNode(
  options: NodeOptions,
  rememberedPeers: readonly string[],
  signal: AbortSignal,
  tell: (event: MemberEvent) => void,
): Promise<{ readonly cluster: Cluster; readonly expectsOthers: boolean }> {
  const { name, bind, keyFile, keys, insecure, withdrawAfterMs } = options
  const seeds = [...new Set([...options.seeds, ...rememberedPeers])]
  const secret = keyFile === undefined ? { keys } : { keyFile }
  const cluster = await Cluster.start({ name, bind, seeds, insecure, withdrawAfterMs, signal, ...secret })
  followMembers(cluster, tell)
  return { cluster, expectsOthers: seeds.length > 0 }
}
