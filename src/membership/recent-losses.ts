import type { Member } from './member.ts'

/** A loss counts for so many further probes of this node. */
const REMEMBERED = 30
/** One other member that is badly heard may be bad itself; of so many it is rather the network that loses packets. */
const OTHERS = 2

/** Members that live and yet did not answer a ping of this node lately: what says that packets are lost, and not a member's alone. */
export class RecentLosses {
  /** By member, the probe of which it was found last. */
  readonly #lostAt = new Map<Member, number>()
  #probes = 0

  /** Another probe of this node begins. */
  probed(): void {
    this.#probes++
    for (const [member, at] of this.#lostAt) {
      if (this.#probes - at < REMEMBERED) break
      this.#lostAt.delete(member)
    }
  }

  /** A member has turned out to live, though a ping of a probe went unanswered in its time. */
  note(member: Member): void {
    // The latest come last.
    this.#lostAt.delete(member)
    this.#lostAt.set(member, this.#probes)
  }

  /** Whether packets to or from several others than this one were lost lately. */
  besides(member: Member | undefined): boolean {
    const others = this.#lostAt.size - (member !== undefined && this.#lostAt.has(member) ? 1 : 0)
    return others >= OTHERS
  }
}
