import type { Clock } from '../../src/agent/index.ts'
import type { Cluster, Network, Table } from '../../src/index.ts'
import { type Decision, decide } from './choosing.ts'
import type { SubnetPool } from './pool.ts'
import type { Problem } from './problem.ts'
import type { SubnetClaim } from './subnets.ts'

export interface SubnetKeeperOptions {
  readonly cluster: Pick<Cluster, 'self' | 'isolated'>
  readonly network: Pick<Network, 'synced'>
  readonly table: Pick<Table<SubnetClaim>, 'entries' | 'claims' | 'replaceOwn'>
  readonly pool: SubnetPool
  /** The address of this host. */
  readonly gateway: string
  readonly preferred: string | undefined
  readonly quietMs: number
  readonly reuseAfterMs: number
  readonly clock: Pick<Clock, 'now' | 'setTimer'>
  /**
   * The subnet that this host may use from now on, or that it may use none. Never the same twice in a row.
   */
  readonly onSubnet: (subnet: string | undefined) => void
  readonly onProblem: (problem: Problem) => void
}

/** Nobody waits for quiet longer than this many times as long as quiet is. */
const PATIENCE = 10

/**
 * Sees to it that this host has one subnet, and that nobody else has the same.
 *
 * Whose a subnet is follows from the claims in the table and nothing else: who is not the winner of its own
 * claim lets go, at once. A new claim waits until the table has been quiet, so that whoever is hit by a
 * healing partition sees all of it first; and it is told to the application once it has stood unchallenged
 * for as long, so that hosts that start together settle it among themselves.
 */
export class SubnetKeeper {
  readonly #options: SubnetKeeperOptions
  readonly #timers: { cancel(): void }[] = []
  /** The subnet that the application was told. */
  #subnet: string | undefined
  /** The claim in the table, as far as it was made here. */
  #claimed: { readonly subnet: string; readonly at: number } | undefined
  #lastDecision: Decision['type'] = 'wait'
  #changedAt: number
  #wantingSince: number
  /** When a subnet was first seen to be claimed by failed hosts only, while nothing else was left. */
  readonly #hiddenSince = new Map<string, number>()
  #stopped = false

  constructor(options: SubnetKeeperOptions) {
    this.#options = options
    this.#changedAt = options.clock.now()
    this.#wantingSince = this.#changedAt
  }

  /** The subnet that the application may use now. */
  get subnet(): string | undefined {
    return this.#subnet
  }

  /** What the last look came to. */
  get state(): 'held' | 'claiming' | 'waiting' | 'exhausted' {
    if (this.#lastDecision === 'exhausted') return 'exhausted'
    if (this.#lastDecision !== 'keep') return 'waiting'
    return this.#subnet === undefined ? 'claiming' : 'held'
  }

  /** What is wrong now. */
  get problems(): readonly Problem[] {
    return this.#lastDecision === 'exhausted' ? [this.#exhausted()] : []
  }

  /** The table has changed. */
  changed(): void {
    this.#changedAt = this.#options.clock.now()
    this.look()
  }

  /** Does what there is to do, and comes back by itself when there may be more. */
  look(): void {
    if (this.#stopped) return
    for (const timer of this.#timers.splice(0)) timer.cancel()
    try {
      // What was let go or claimed is looked at once more; it takes no more than that.
      let decision = this.#step()
      if (decision.type === 'withdraw') decision = this.#step()
      if (decision.type === 'claim') decision = this.#step()
    } catch (error) {
      const message = `this host's claim was not taken: ${error instanceof Error ? error.message : error}`
      this.#options.onProblem({ code: 'ERR_CLAIM_FAILED', subject: this.#options.cluster.self.name, message })
      this.#comeBackIn(this.#options.quietMs * PATIENCE)
    }
  }

  /** Looks no more. The claim stays in the table until the network is left. */
  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers.splice(0)) timer.cancel()
  }

  #step(): Decision {
    const decision = this.#decide()
    const { quietMs } = this.#options
    if (decision.type === 'keep') {
      this.#declare(decision.subnet)
      this.#tellWhenSafe(decision.subnet)
    } else if (decision.type === 'withdraw') {
      this.#withdraw(decision)
    } else if (decision.type === 'claim') {
      this.#claimed = { subnet: decision.subnet, at: this.#options.clock.now() }
      this.#declare(decision.subnet)
    } else if (decision.type === 'exhausted') {
      if (this.#lastDecision !== 'exhausted') this.#options.onProblem(this.#exhausted())
      this.#comeBackIn(quietMs * PATIENCE)
    } else {
      const leftMs = this.#changedAt + quietMs - this.#options.clock.now()
      this.#comeBackIn(leftMs > 0 ? leftMs : quietMs)
    }
    this.#lastDecision = decision.type
    return decision
  }

  #decide(): Decision {
    const { cluster, pool, preferred, table } = this.#options
    const { name } = cluster.self
    const own = new Set(preferred === undefined ? [] : [preferred])
    if (this.#claimed !== undefined) own.add(this.#claimed.subnet)
    for (const [subnet, { owner }] of table.entries()) if (owner === name) own.add(subnet)
    return decide({
      name,
      pool,
      own: [...own],
      preferred: this.#subnet ?? preferred,
      claimants: (subnet) => table.claims(subnet),
      isAbandoned: (subnet) => this.#isAbandoned(subnet),
      calm: this.#isCalm(),
    })
  }

  #isCalm(): boolean {
    const { cluster, network, clock, quietMs } = this.#options
    const now = clock.now()
    const isQuiet = now - this.#changedAt >= quietMs || now - this.#wantingSince >= quietMs * PATIENCE
    return network.synced && !cluster.isolated && isQuiet
  }

  #isAbandoned(subnet: string): boolean {
    const { table, clock, reuseAfterMs } = this.#options
    const isHidden = table.claims(subnet).every(({ hidden }) => hidden)
    const since = this.#hiddenSince.get(subnet) ?? clock.now()
    if (isHidden) this.#hiddenSince.set(subnet, since)
    else this.#hiddenSince.delete(subnet)
    return isHidden && clock.now() - since >= reuseAfterMs
  }

  /** Exactly this claim, whatever was there before. One that is there already keeps its rank. */
  #declare(subnet: string | undefined): void {
    const { table, gateway } = this.#options
    table.replaceOwn(subnet === undefined ? [] : [[subnet, { gateway }]])
  }

  #tellWhenSafe(subnet: string): void {
    const { clock, quietMs } = this.#options
    this.#hiddenSince.clear()
    // One that was inherited from this host's former life has stood long enough.
    const safeAt = this.#claimed?.subnet === subnet ? this.#claimed.at + quietMs : 0
    const leftMs = safeAt - clock.now()
    if (leftMs > 0) this.#comeBackIn(leftMs)
    else this.#tell(subnet)
  }

  #withdraw({ subnet, winner }: { readonly subnet: string; readonly winner: string }): void {
    this.#declare(undefined)
    this.#claimed = undefined
    this.#wantingSince = this.#options.clock.now()
    if (this.#subnet !== undefined) {
      const message = `${winner} has won the subnet ${subnet}: this host lets go of it and takes another`
      this.#options.onProblem({ code: 'ERR_SUBNET_CONTESTED', subject: subnet, message })
    }
    this.#tell(undefined)
  }

  #exhausted(): Problem {
    const { pool } = this.#options
    const message =
      `every ${pool} is claimed, so this host has none: use a larger --range or a longer --subnet-length on all hosts, ` +
      'or stop a host; it takes the first that gets free'
    return { code: 'ERR_RANGE_EXHAUSTED', subject: pool.name, message }
  }

  #tell(subnet: string | undefined): void {
    if (subnet === this.#subnet) return
    this.#subnet = subnet
    this.#options.onSubnet(subnet)
  }

  #comeBackIn(delayMs: number): void {
    if (!this.#stopped) this.#timers.push(this.#options.clock.setTimer(delayMs, () => this.look()))
  }
}
