import { finish, mix } from '../wire/mix.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'

/** A round heard that is further ahead than this is not believed in one step. */
const MAX_JUMP = 1024

/**
 * Whom to probe when. In each logical round the members, ordered by id, are shifted by an offset that depends on the
 * round alone: where views and rounds agree, everyone is probed exactly once a round; where they don't, the choice is as
 * good as a random one. No clock is involved.
 */
export class ProbeSchedule {
  readonly #members: MemberList
  #round = 0
  #heard = 0

  constructor(members: MemberList) {
    this.#members = members
  }

  get round(): number {
    return this.#round
  }

  /** Keeps rounds together: nobody stays behind the highest that it hears. */
  hear(round: number): void {
    if (round > this.#heard) this.#heard = Math.min(round, this.#round + MAX_JUMP)
  }

  /** The next round's target; undefined when this node is alone. */
  advance(): Member | undefined {
    this.#round = Math.max(this.#round + 1, this.#heard)
    const { ring, selfIndex } = this.#members
    if (ring.length < 2) return undefined
    const offset = 1 + (finish(mix(0, this.#round)) % (ring.length - 1))
    return ring[(selfIndex + offset) % ring.length]
  }
}
