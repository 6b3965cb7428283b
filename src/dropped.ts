import { TokenBucket } from './dissemination/token-bucket.ts'
import type { EventQueue } from './events.ts'
import type { MemberList } from './membership/member-list.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { DropCause, TransportCounts } from './security/secure-transport.ts'

/** What befalls streams when a peer dies, is slow or is busy: counted, but nothing to warn of. */
const ORDINARY_DROPS: ReadonlySet<DropCause> = new Set([
  'stream-timeout',
  'stream-refused',
  'stream-truncated',
  'stream-idle',
  'stream-limit',
])

/** Looking up who is at an address takes time that no stranger may ask for at will. */
const LOOKUPS_PER_SECOND = 1
const LOOKUPS_AT_ONCE = 10

/** Warns of traffic that was dropped, and says so if a member has missed a rotation of keys. */
export class DropWarnings {
  readonly #runtime: Runtime
  readonly #events: EventQueue
  readonly #members: MemberList
  readonly #lookups = new TokenBucket(LOOKUPS_PER_SECOND, LOOKUPS_AT_ONCE)

  constructor(runtime: Runtime, events: EventQueue, members: MemberList) {
    this.#runtime = runtime
    this.#events = events
    this.#members = members
  }

  note(cause: DropCause, from: string): void {
    if (ORDINARY_DROPS.has(cause)) return
    const name = cause === 'unknown-key' ? this.#nameOf(from) : undefined
    if (name === undefined) {
      this.#events.warn('WARN_TRAFFIC_DROPPED', `Traffic from ${from} was dropped: ${cause}.`)
      return
    }
    this.#events.warn(
      'WARN_KEY_UNKNOWN',
      `Member '${name}' at ${from} seals with a key that this node does not hold. One of the two has missed a rotation of keys: start it anew with the present ones.`,
    )
  }

  #nameOf(address: string): string | undefined {
    if (!this.#lookups.take(this.#runtime.now())) return undefined
    for (const member of this.#members.others()) if (member.address === address) return member.name
    return undefined
  }
}

/** What to say where no seed answered: one that closes a stream at once says more than one that is silent. */
export function noSeedAnswered({ drops }: Readonly<TransportCounts>): string {
  const message = 'No seed answered; they will be tried again in the background.'
  if (drops['stream-refused'] === 0) return message
  return `${message} Some refused: they have other keys or another label, or this node has missed a rotation of keys.`
}
