import type { Member } from './member.ts'

/** How long after its verdict a failed member counts here. */
const RECENT_MS = 15_000
/** What a recently failed member gets of the gossip that a live one gets. */
const SHARE = 0.1
/** News are sent at most so many times as often as usual. */
const MAX_BOOST = 4

/** Members that this node lately came to hold failed, for as long as their failure weighs on how news spread. */
export class RecentFailures {
  /** Ascending by time. */
  #failures: { readonly member: Member; readonly at: number }[] = []

  note(member: Member, now: number): void {
    this.#failures.push({ member, at: now })
  }

  /**
   * What the transmissions of news are multiplied by: when many members fail at once, many of them went to members that were
   * already gone. 1 to 4.
   */
  boost(live: number, now: number): number {
    if (this.#failures.length === 0) return 1
    return Math.min(MAX_BOOST, 1 + this.#recent(now).length / Math.max(1, live))
  }

  /**
   * Now and then a recently failed member to tell the news to, in place of one of `live` others: should it live after all, it
   * hears what is said of it, and should it be dead, little is wasted.
   */
  draw(live: number, random: () => number, now: number): Member | undefined {
    if (this.#failures.length === 0) return undefined
    const gone = this.#recent(now).filter(({ member }) => member.verdict === 'failed')
    if (gone.length === 0) return undefined
    const weight = SHARE * gone.length
    const point = (random() / 0x1_0000_0000) * (live + weight)
    return point < weight ? gone[Math.floor(point / SHARE)]?.member : undefined
  }

  #recent(now: number): readonly { readonly member: Member }[] {
    const first = this.#failures.findIndex(({ at }) => now - at < RECENT_MS)
    if (first !== 0) this.#failures = first < 0 ? [] : this.#failures.slice(first)
    return this.#failures
  }
}
