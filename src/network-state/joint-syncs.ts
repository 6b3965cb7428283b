import type { SyncHandle } from '../dissemination/anti-entropy.ts'
import type { Peer } from '../dissemination/peer.ts'
import type { SyncOutcome } from '../dissemination/sync-session.ts'
import type { Runtime } from '../runtime/runtime.ts'

type Begin = (peer: Peer, onEnd: (outcome: SyncOutcome) => void) => SyncHandle

/**
 * Sessions that several networks share: a session compares all state anyway, so those joined at once need only one with each
 * peer. It begins when all that happens at this moment has happened.
 */
export class JointSyncs {
  readonly #runtime: Runtime
  readonly #begin: Begin
  /** By peer, the sessions that are to begin. */
  readonly #waiting = new Map<string, JointSync>()

  constructor(runtime: Runtime, begin: Begin) {
    this.#runtime = runtime
    this.#begin = begin
  }

  /** Whether a session with a peer is about to begin anyway. */
  awaits(peer: Peer): boolean {
    return this.#waiting.has(peer.name)
  }

  /** `onEnd` comes once, unless this caller aborts; never from within this call. */
  sync(peer: Peer, onEnd: (outcome: SyncOutcome) => void): SyncHandle {
    let joint = this.#waiting.get(peer.name)
    if (joint === undefined) {
      joint = new JointSync(peer)
      this.#waiting.set(peer.name, joint)
      if (this.#waiting.size === 1) this.#runtime.setTimer(0, () => this.#beginAll())
    }
    return joint.join(onEnd)
  }

  #beginAll(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const joint of waiting) joint.begin(this.#begin)
  }
}

class JointSync {
  readonly #peer: Peer
  readonly #callers = new Set<(outcome: SyncOutcome) => void>()
  #session: SyncHandle | undefined

  constructor(peer: Peer) {
    this.#peer = peer
  }

  join(onEnd: (outcome: SyncOutcome) => void): SyncHandle {
    this.#callers.add(onEnd)
    const heard = (): number => this.#session?.heard ?? 0
    return {
      get heard() {
        return heard()
      },
      abort: () => {
        if (this.#callers.delete(onEnd) && this.#callers.size === 0) this.#session?.abort()
      },
    }
  }

  begin(begin: Begin): void {
    if (this.#callers.size === 0) return
    this.#session = begin(this.#peer, (outcome) => {
      const callers = [...this.#callers]
      this.#callers.clear()
      for (const onEnd of callers) onEnd(outcome)
    })
  }
}
