import type { Cluster } from '../../src/cluster.ts'
import type { Change } from '../../src/network-state/watch.ts'
import type { Followed } from './followed.ts'

/**
 * Something that must hold, whatever happens. Each method but the first gives sentences about what does not hold, and none must touch
 * the simulation. `during` is called again and again while the run goes on, `atEnd` once after quiet.
 */
export interface Invariant {
  readonly name: string
  /** A node runs, for the first time or anew; told within a check's interval. */
  started?(node: string, cluster: Cluster): void
  /** A node that ran does not any more. */
  stopped?(node: string): void
  /** A watch begins. */
  followed?(followed: Followed): void
  /** What a watch gave. */
  changed?(followed: Followed, change: Change<unknown>): Iterable<string>
  /** `sample` is which nodes to look at, where looking at all would take too long. */
  during?(sample: readonly string[]): Iterable<string>
  atEnd?(): Iterable<string>
}
