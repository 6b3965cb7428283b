import type { ClusterKeys } from './cluster-keys.ts'
import type { AntiEntropy } from './dissemination/anti-entropy.ts'
import type { Gossip } from './dissemination/gossip.ts'
import type { Membership } from './membership/membership.ts'
import type { NetworkState } from './network-state/network-state.ts'
import type { SecureTransport } from './security/secure-transport.ts'

/** Plain numbers by name. Counters only rise; gauges are named in docs/metrics.md. */
export type Metrics = Readonly<Record<string, number>>

export interface MetricsSources {
  readonly transport: SecureTransport
  readonly gossip: Gossip
  readonly antiEntropy: AntiEntropy
  readonly membership: Membership
  readonly networkState: NetworkState
  readonly keys: ClusterKeys
  readonly malformed: number
  /** ms of the monotonic clock. */
  readonly now: number
}

export function collectMetrics(sources: MetricsSources): Metrics {
  const { transport, antiEntropy, membership, networkState } = sources
  const { drops, ...traffic } = transport.counts
  const metrics: Record<string, number> = {}
  const add = (prefix: string, counts: Readonly<Record<string, number>>): void => {
    for (const [name, value] of Object.entries(counts)) metrics[`${prefix}.${name}`] = value
  }
  add('traffic', traffic)
  add('dropped', drops)
  metrics['dropped.malformed'] = sources.malformed
  add('probe', membership.detector.counts)
  add('verification', membership.verdicts.verification.counts)
  add('membership', membership.counts)
  add('sync', antiEntropy.counts)
  metrics['members.known'] = membership.members.size
  metrics['members.live'] = membership.members.liveCount
  metrics['members.quarantined'] = membership.verdicts.quarantine.size
  metrics['members.queue'] = membership.queue.size
  metrics['members.queueDropped'] = membership.queue.dropped
  metrics['health.stallMs'] = membership.health.stallMs(sources.now)
  add('keys', sources.keys.counts)
  const { joined, notSynced } = networkState.networkCounts
  metrics['networks.joined'] = joined
  metrics['networks.notSynced'] = notSynced
  for (const replica of networkState.replicas()) {
    for (const [name, value] of Object.entries(replica.counts)) bump(metrics, `entries.${name}`, value)
    bump(metrics, 'entries.queue', replica.queue.size)
    bump(metrics, 'entries.queueDropped', replica.queue.dropped)
    bump(metrics, 'entries.parkedNow', replica.parking.size)
    bump(metrics, 'entries.logs', replica.logs.size)
  }
  return Object.freeze(metrics)
}

function bump(metrics: Record<string, number>, name: string, value: number): void {
  metrics[name] = (metrics[name] ?? 0) + value
}
