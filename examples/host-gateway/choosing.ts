import type { SubnetPool } from './pool.ts'

/** Who claims a subnet, as one host sees it: the winner first, owners that have failed last and `hidden`. */
export type Claimants = readonly { readonly owner: string; readonly hidden: boolean }[]

/** What a host knows when it looks at its claim. */
export interface Situation {
  readonly name: string
  readonly pool: SubnetPool
  /** Every subnet of the pool or not to which this host has, or may have, a claim. */
  readonly own: readonly string[]
  /** The subnet that it had before it was restarted. */
  readonly preferred: string | undefined
  claimants(subnet: string): Claimants
  /** Whether a subnet of failed hosts only may be taken from them. */
  isAbandoned(subnet: string): boolean
  /** Whether what it sees is all there is, as far as it can know: synced, in touch, and quiet for a while. */
  readonly calm: boolean
}

export type Decision =
  /** Its claim to this subnet stands: it is the one to have, and no other. */
  | { readonly type: 'keep'; readonly subnet: string }
  /** Somebody else has won the subnet that it claimed: it lets go. */
  | { readonly type: 'withdraw'; readonly subnet: string; readonly winner: string }
  | { readonly type: 'claim'; readonly subnet: string }
  /** It has none, and does not know enough to choose one. */
  | { readonly type: 'wait' }
  | { readonly type: 'exhausted' }

/**
 * What a host does about its subnet. Stable: a claim that wins is kept, whatever else there is. Safe: a claim
 * that does not win is given up at once, and a subnet to which anybody has a claim is not taken, hosts that
 * failed included, since they may be back. Only where nothing else is left are those taken that were
 * abandoned.
 */
export function decide(situation: Situation): Decision {
  const { name, pool, own, preferred, calm } = situation
  const claimed = own.filter((subnet) => has(situation, subnet))
  const won = claimed.filter((subnet) => pool.has(subnet) && isWinner(situation, subnet)).sort()
  const [first] = won
  if (first !== undefined) {
    return { type: 'keep', subnet: won.find((subnet) => subnet === preferred) ?? first }
  }
  const [lost] = claimed
  if (lost !== undefined) {
    return { type: 'withdraw', subnet: lost, winner: situation.claimants(lost)[0]?.owner ?? name }
  }
  if (!calm) return { type: 'wait' }
  const free = choose(situation)
  return free === undefined ? { type: 'exhausted' } : { type: 'claim', subnet: free }
}

function choose({ name, pool, preferred, claimants, isAbandoned }: Situation): string | undefined {
  const isFree = (subnet: string): boolean => claimants(subnet).length === 0
  if (preferred !== undefined && pool.has(preferred) && isFree(preferred)) return preferred
  for (const subnet of pool.inOrderOf(name)) if (isFree(subnet)) return subnet
  for (const subnet of pool.inOrderOf(name)) if (isAbandoned(subnet)) return subnet
  return undefined
}

function has({ name, claimants }: Situation, subnet: string): boolean {
  return claimants(subnet).some(({ owner }) => owner === name)
}

function isWinner({ name, claimants }: Situation, subnet: string): boolean {
  return claimants(subnet)[0]?.owner === name
}
