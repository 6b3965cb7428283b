import type { Runtime } from '../runtime/runtime.ts'
import type { Dialogue } from './dialogue.ts'
import type { Member } from './member.ts'
import type { Pings } from './pings.ts'

/** Members that are being asked at once, at most. */
const MOST = 64

export interface ProofsOptions {
  readonly probeTimeoutMs: number
}

/**
 * Asks members at their own addresses for an answer, which no recorded packet can give, before what was said in their name leads to
 * anything. The answer is then heard like any other.
 */
export class Proofs {
  readonly #runtime: Runtime
  readonly #options: ProofsOptions
  readonly #pings: Pings
  readonly #dialogue: Dialogue
  readonly #asked = new Set<Member>()

  constructor(runtime: Runtime, options: ProofsOptions, pings: Pings, dialogue: Dialogue) {
    this.#runtime = runtime
    this.#options = options
    this.#pings = pings
    this.#dialogue = dialogue
  }

  /**
   * Calls back if the member answers in time; not at all if it is being asked already, or too many are. With nothing to call back, the answer is to say
   * what the member's state is; else that it is there will do.
   */
  ask(member: Member, onAnswer?: () => void): void {
    if (!member.live || this.#asked.has(member) || this.#asked.size >= MOST) return
    this.#asked.add(member)
    const end = (): void => {
      this.#asked.delete(member)
      ping.close()
      timeout.cancel()
    }
    const ping = this.#pings.open({
      onAck: () => {
        end()
        onAnswer?.()
      },
    })
    const timeout = this.#runtime.setTimer(this.#options.probeTimeoutMs, end)
    if (onAnswer === undefined) this.#dialogue.ping(member, ping)
    else this.#dialogue.pingBare(member, ping.token)
  }
}
