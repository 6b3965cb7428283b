import { sample } from '../dissemination/peer.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'

export interface OldViewHost {
  /** Compares all state with a member. */
  sync(member: Member, onEnd: (ok: boolean) => void): void
  ping(member: Member, ping: OpenPing): void
  /** A member that only this node still believes in has not answered. */
  accuse(member: Member): void
  /** What this node knows of a member is to be told, if it may. */
  spread(member: Member): void
  /** What waits to be told of a member is not to be told. */
  holdBack(member: Member): void
}

/** Syncs under way at once, so that one silent peer does not hold the next up. */
const SYNCS = 3
/** Unconfirmed members pinged in one tick, and how often each is. */
const PINGS_PER_TICK = 10
const TRIES = 3

/**
 * What a node must not tell. One that was cut off, or stood still for longer than it takes to be declared failed, may believe in
 * members that are long dead and forgotten, and so may the packets that waited for it. Until it has synced it passes on nothing that
 * it knows or hears of others. Members that the peer of that sync did not know have to answer a ping first, or be spoken of
 * by others. It goes on to probe, to answer and to tell of itself.
 */
export class OldView {
  readonly #runtime: Runtime
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #host: OldViewHost
  /** Members not confirmed by others, and how often each was pinged. */
  readonly #unconfirmed = new Map<Member, number>()
  readonly #open = new Map<Member, OpenPing>()
  #old = false
  #syncing = 0
  /** Times that the view became old. */
  begun = 0

  constructor(runtime: Runtime, members: MemberList, pings: Pings, host: OldViewHost) {
    this.#runtime = runtime
    this.#members = members
    this.#pings = pings
    this.#host = host
  }

  /** This node was out of touch: all that it knows of others is old. */
  begin(): void {
    this.begun++
    this.#old = true
    for (const member of this.#members.others()) this.#host.holdBack(member)
  }

  mayTell(member: Member): boolean {
    return member === this.#members.self || !(this.#old || this.#unconfirmed.has(member))
  }

  /** Whether nobody else is known to believe in a member. */
  believesAlone(member: Member): boolean {
    return this.#unconfirmed.has(member)
  }

  /** Somebody else has spoken of a member: it is no ghost of this node's. */
  confirm(member: Member): void {
    if (this.#unconfirmed.size > 0) this.#settle(member)
  }

  /** A member was heard itself. Where others did not know of it, they are told. */
  heard(member: Member): void {
    if (this.#unconfirmed.size > 0 && this.#settle(member) && member.live) this.#host.spread(member)
  }

  /** A peer's knowledge was taken over, which was asked for at `begun`; `knows` says of which ids the peer had any. */
  compared(knows: (id: number) => boolean, begun: number): void {
    if (!this.#old || begun !== this.begun) return
    this.#old = false
    for (const member of this.#members.others()) {
      if (!knows(member.id)) this.#unconfirmed.set(member, 0)
      else {
        this.#settle(member)
        // Of what was held back, suspicions would not come up again by themselves.
        if (member.verdict === 'suspect') this.#host.spread(member)
      }
    }
  }

  forget(member: Member): void {
    this.#settle(member)
  }

  /** To be called every probe interval, while this node is not isolated. */
  tick(): void {
    if (this.#old) this.#sync()
    else if (this.#unconfirmed.size > 0) this.#pingUnconfirmed()
  }

  stop(): void {
    for (const ping of this.#open.values()) ping.close()
    this.#open.clear()
  }

  #settle(member: Member): boolean {
    this.#open.get(member)?.close()
    this.#open.delete(member)
    return this.#unconfirmed.delete(member)
  }

  #sync(): void {
    if (this.#syncing >= SYNCS) return
    const [peer] = sample(this.#members.live, 1, () => this.#runtime.randomUint32())
    if (peer === undefined) return
    this.#syncing++
    const { begun } = this
    this.#host.sync(peer, (ok) => {
      this.#syncing--
      // With equal digests there was no exchange: the peer believes in the same members.
      if (ok) this.compared(() => true, begun)
    })
  }

  #pingUnconfirmed(): void {
    let room = PINGS_PER_TICK
    for (const [member, tries] of this.#unconfirmed) {
      if (!member.live) this.#settle(member)
      else if (tries < TRIES) {
        if (room-- === 0) return
        this.#unconfirmed.set(member, tries + 1)
        this.#ping(member)
      } else if (tries === TRIES) {
        if (room-- === 0) return
        this.#unconfirmed.set(member, tries + 1)
        this.#host.accuse(member)
      }
    }
  }

  #ping(member: Member): void {
    let ping = this.#open.get(member)
    if (ping === undefined) {
      ping = this.#pings.open({ onAck: () => this.heard(member) })
      this.#open.set(member, ping)
    }
    this.#host.ping(member, ping)
  }
}
