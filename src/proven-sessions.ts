import type { Member } from './membership/member.ts'
import type { SessionId } from './security/nonces.ts'

/** Where the replay windows of sessions are. */
export interface SessionKeeper {
  keepSession(session: SessionId): boolean
  releaseSession(session: SessionId): void
}

/**
 * In which session each live member has answered a question of this node: recorded packets cannot do that. The windows of these
 * sessions are kept, however many former ones are replayed to make this node forget them.
 */
export class ProvenSessions {
  readonly #keeper: SessionKeeper
  readonly #byName = new Map<string, SessionId>()

  constructor(keeper: SessionKeeper) {
    this.#keeper = keeper
  }

  answered({ name, live }: Member, session: SessionId): void {
    if (!live || this.#byName.get(name) === session || !this.#keeper.keepSession(session)) return
    this.gone(name)
    this.#byName.set(name, session)
  }

  /** Whether a live member has answered in this session. */
  has(name: string, session: SessionId): boolean {
    return this.#byName.get(name) === session
  }

  /** A member failed, left or was forgotten. */
  gone(name: string): void {
    const session = this.#byName.get(name)
    if (session === undefined) return
    this.#byName.delete(name)
    this.#keeper.releaseSession(session)
  }
}
