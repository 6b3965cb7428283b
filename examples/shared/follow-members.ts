import type { Cluster, MemberSnapshot, MemberStatus } from '../../src/index.ts'

export type MemberEvent =
  | {
      readonly event: 'member'
      readonly name: string
      readonly address: string
      readonly status: MemberStatus
    }
  | { readonly event: 'isolated' | 'reconnected' }

const CHANGES = ['member-up', 'member-updated', 'member-suspect', 'member-failed', 'member-left'] as const
const MAX_PEERS = 16

/** Tells which members there are, and from then on whatever happens to them. */
export function followMembers(cluster: Cluster, tell: (event: MemberEvent) => void): void {
  const tellMember = ({ name, address, status }: MemberSnapshot): void => {
    tell({ event: 'member', name, address, status })
  }
  cluster.members().forEach(tellMember)
  for (const type of CHANGES) cluster.on(type, tellMember)
  cluster.on('isolated', () => tell({ event: 'isolated' }))
  cluster.on('reconnected', () => tell({ event: 'reconnected' }))
}

/**
 * Addresses of others who may know, after a restart, what has happened meanwhile: a few, those that are
 * alive first.
 */
export function peersToRemember(cluster: Cluster): string[] {
  const others = cluster
    .members()
    .filter(({ name, status }) => name !== cluster.self.name && status !== 'left')
  const alive = others.filter(({ status }) => status === 'alive')
  return [...new Set([...alive, ...others])].slice(0, MAX_PEERS).map(({ address }) => address)
}
