import type { Member } from './member.ts'

/**
 * Members ordered by id; where ids collide, by name. The ids lie in an array of their own, so that searching touches no member,
 * and what is added finds its place when the order is next asked for: a thousand joins cost one merge.
 */
export class Ring {
  readonly #members: Member[] = []
  readonly #ids: number[] = []
  #added: Member[] = []

  get members(): readonly Member[] {
    if (this.#added.length > 0) this.#merge()
    return this.#members
  }

  add(member: Member): void {
    this.#added.push(member)
  }

  /** For a member that is in the ring. */
  remove(member: Member): void {
    const at = this.indexOf(member)
    this.#members.splice(at, 1)
    this.#ids.splice(at, 1)
  }

  /** Where a member stands that is in the ring. */
  indexOf(member: Member): number {
    return this.members.indexOf(member, this.#firstFrom(member.id))
  }

  /** Members whose ids are at least `from` and below `to`. */
  between(from: number, to: number): readonly Member[] {
    const { members } = this
    return members.slice(this.#firstFrom(from), this.#firstFrom(to))
  }

  #firstFrom(id: number): number {
    let low = 0
    let high = this.#ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ids[middle]! < id) low = middle + 1
      else high = middle
    }
    return low
  }

  /** From the end, so that each member moves once and those before the first addition not at all. */
  #merge(): void {
    const added = this.#added.sort(compare)
    this.#added = []
    const members = this.#members
    const ids = this.#ids
    let from = members.length - 1
    for (const member of added) {
      members.push(member)
      ids.push(member.id)
    }
    let to = members.length - 1
    for (let i = added.length - 1; i >= 0; to--) {
      const member = added[i]!
      if (
        from >= 0 &&
        (ids[from]! > member.id || (ids[from] === member.id && members[from]!.name > member.name))
      ) {
        members[to] = members[from]!
        ids[to] = ids[from--]!
      } else {
        members[to] = member
        ids[to] = member.id
        i--
      }
    }
  }
}

function compare(a: Member, b: Member): number {
  return a.id - b.id || (a.name < b.name ? -1 : 1)
}
