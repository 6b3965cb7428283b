import type { Cluster, MemberSnapshot } from '../../src/index.ts'

/**
 * Resolves once another member is alive: somebody who knows what has happened while this node was not there.
 */
export function metOthers(cluster: Cluster): Promise<void> {
  return new Promise((resolve) => {
    const isOther = ({ name, status }: MemberSnapshot): boolean =>
      name !== cluster.self.name && status === 'alive'
    const look = (member: MemberSnapshot): void => {
      if (!isOther(member)) return
      cluster.off('member-up', look)
      resolve()
    }
    if (cluster.members().some(isOther)) resolve()
    else cluster.on('member-up', look)
  })
}
