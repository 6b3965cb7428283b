import { TokenBucket } from '../dissemination/token-bucket.ts'
import { HearsayError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { compareEpochs, type EpochId, epochAbove, epochTime } from '../wire/epoch.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Dialogue } from './dialogue.ts'
import { comparePrecedence, memberId } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { Pings } from './pings.ts'

export interface IdentityOptions {
  readonly probeTimeoutMs: number
}

export interface IdentityHost {
  /** This node's own record has changed and is to be told. */
  publish(): void
  /** This node's epoch was raised above one that others remember. */
  epochRaised(epoch: EpochId): void
  /**
   * Another live process uses this node's name, and has the better right to it: this node has not begun yet, or has the lower
   * epoch. Called again whenever that is heard anew.
   */
  twinFound(record: MemberRecord): void
}

const NAME_CHECK_TRIES = 3
/** Old accusations go on travelling for a while after a refutation; they are not worth a new round each. */
const REMINDERS_PER_SECOND = 0.5
/** Epochs raised above what was heard: two processes that cannot reach each other would outbid each other for ever. */
const RAISES_PER_SECOND = 1 / 60
const RAISES_AT_ONCE = 3

/**
 * This node's own record, which it alone writes: claims the name at the start, refutes what is said of it, and tells a ghost of
 * its own past from a twin that lives. Of two live processes the one of the higher epoch keeps the name; the other one yields
 * for good: it tells nothing of itself any more and never raises its record.
 */
export class Identity {
  readonly #runtime: Runtime
  readonly #options: IdentityOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #dialogue: Dialogue
  readonly #host: IdentityHost
  #announced = false
  /** The record of another life under this node's name, heard before the own one was announced. */
  #former: MemberRecord | undefined
  /** The live process that this node has yielded its name to. */
  #twin: MemberRecord | undefined
  #checkingTwin = false
  /** Wait for the check to end. */
  #settling: (() => void)[] = []
  readonly #raises = new TokenBucket(RAISES_PER_SECOND, RAISES_AT_ONCE)
  readonly #reminders = new TokenBucket(REMINDERS_PER_SECOND, 1)
  refutations = 0

  constructor(
    runtime: Runtime,
    options: IdentityOptions,
    members: MemberList,
    pings: Pings,
    dialogue: Dialogue,
    host: IdentityHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#dialogue = dialogue
    this.#host = host
  }

  /** While false, this node's record is kept back: its name is not yet known to be free. */
  get announced(): boolean {
    return this.#announced
  }

  /** Whether this node tells news, of itself and of others. */
  get telling(): boolean {
    return this.#announced && this.#twin === undefined
  }

  /** Whether another live process has this node's name by better right. */
  get yielded(): boolean {
    return this.#twin !== undefined
  }

  /** Whether this node may outbid what others remember under its name: not what may be a twin that lives. */
  get mayRaise(): boolean {
    return this.#twin === undefined && !this.#checkingTwin
  }

  /** Calls back once no check for a twin is under way, perhaps at once. */
  whenSettled(then: () => void): void {
    if (this.#checkingTwin) this.#settling.push(then)
    else then()
  }

  /** Keeps nobody waiting. */
  stop(): void {
    this.#settle()
  }

  get #record(): MemberRecord {
    return this.#members.self.record
  }

  /** Makes this node known, with an epoch above every earlier life of its name. Idempotent. */
  announce(): void {
    if (this.#announced) return
    this.#announced = true
    const former = this.#former
    if (former !== undefined && compareEpochs(former.epoch, this.#record.epoch) >= 0)
      this.#raise(former.epoch)
    this.#host.publish()
  }

  /**
   * Calls back once it is clear whose the name is: with whether it is this node's. Never, if a live process holds it and this node has
   * not begun.
   */
  claimName(onClear: (own: boolean) => void): void {
    if (this.#twin !== undefined) {
      onClear(false)
      return
    }
    const former = this.#former
    const free = (): void => {
      this.announce()
      onClear(true)
    }
    if (this.#announced || former === undefined || former.left || former.address === this.#record.address) {
      free()
      return
    }
    this.#ask(former, (answered) => {
      if (answered) this.#host.twinFound(former)
      else free()
    })
  }

  /** Somebody's record of this very name. */
  hear(record: MemberRecord): void {
    const own = this.#record
    const order = compareEpochs(record.epoch, own.epoch)
    if (!this.#announced) {
      if (order !== 0 && (this.#former === undefined || comparePrecedence(record, this.#former) > 0)) {
        this.#former = record
      }
      return
    }
    if (own.left) return
    if (this.#twin !== undefined) {
      if (order > 0) this.#yield(record)
    } else if (order > 0) this.#meetHigherEpoch(record)
    else if (order < 0) this.#remind()
    else if (record.incarnation > own.incarnation) this.#outbid(record.incarnation)
    else if (speaksAgainst(record)) this.#answer(record)
  }

  /** The log of the built-in network had to open a higher epoch: the member's is the same. */
  adoptEpoch(epoch: EpochId): void {
    if (this.mayRaise && compareEpochs(epoch, this.#record.epoch) > 0) this.#change({ epoch, incarnation: 0 })
  }

  setMetadata(metadata: Uint8Array): void {
    this.#store({ metadata })
    this.#outdo(this.#record.incarnation)
  }

  setKeys(keys: readonly number[]): void {
    if (this.#twin !== undefined) return
    this.#store({ keys })
    this.#outdo(this.#record.incarnation)
  }

  leave(): void {
    this.#members.update(this.#members.self, { ...this.#record, left: true }, 'left', this.#runtime.now())
    if (this.#twin === undefined) this.#host.publish()
  }

  /** What is said of an incarnation that is past was refuted before; whoever says it has not heard. */
  #answer(record: MemberRecord): void {
    if (record.incarnation === this.#record.incarnation) this.#refute(record.incarnation)
    else this.#remind()
  }

  #remind(): void {
    if (this.#reminders.take(this.#runtime.now())) this.#host.publish()
  }

  /** Only a clone of this very process can have said what this one did not; the two must not outbid each other for ever. */
  #outbid(heard: number): void {
    if (this.#raises.take(this.#runtime.now())) this.#refute(heard)
  }

  #refute(heard: number): void {
    this.refutations++
    this.#outdo(heard)
  }

  /** Raises the incarnation above one that was heard. After the last there can be comes the next epoch. */
  #outdo(heard: number): void {
    const incarnation = Math.max(this.#record.incarnation, heard) + 1
    if (Number.isSafeInteger(incarnation)) this.#change({ incarnation })
    else if (this.#raise(this.#record.epoch)) this.#host.publish()
  }

  /** Somebody remembers a later life of this name: a ghost of our own, or a twin. */
  #meetHigherEpoch(record: MemberRecord): void {
    if (record.left || record.address === this.#record.address) {
      if (this.#raise(record.epoch)) this.#host.publish()
      return
    }
    if (this.#checkingTwin) return
    this.#checkingTwin = true
    this.#ask(record, (answered) => {
      this.#checkingTwin = false
      if (compareEpochs(record.epoch, this.#record.epoch) > 0) {
        if (answered) this.#yield(record)
        else if (this.#raise(record.epoch)) this.#host.publish()
      }
      this.#settle()
    })
  }

  #settle(): void {
    for (const then of this.#settling.splice(0)) then()
  }

  #yield(twin: MemberRecord): void {
    this.#twin = twin
    this.#host.twinFound(twin)
  }

  /** Pings the life of a record, a few times; tells whether that very life answered. */
  #ask(record: MemberRecord, onResult: (answered: boolean) => void): void {
    let tries = 0
    let answered = false
    const ping = this.#pings.open({
      onAck: () => {
        if (answered) return
        answered = true
        ping.close()
        onResult(true)
      },
    })
    const attempt = (): void => {
      if (answered) return
      if (tries++ === NAME_CHECK_TRIES) {
        ping.close()
        onResult(false)
        return
      }
      this.#dialogue.pingAddress(record.address, memberId(record.name), record.epoch.nonce, ping.token)
      this.#runtime.setTimer(this.#options.probeTimeoutMs, () => this.#runtime.afterPendingIo(attempt))
    }
    attempt()
  }

  /** False if there is no epoch above, or too many were raised lately: what asks for it will be heard again. */
  #raise(above: EpochId): boolean {
    const now = { time: epochTime(this.#runtime.wallClock()), nonce: this.#record.epoch.nonce }
    const epoch = epochAbove(above, now)
    if (epoch === undefined || !this.#raises.take(this.#runtime.now())) return false
    this.#store({ epoch, incarnation: 0 })
    this.#host.epochRaised(epoch)
    return true
  }

  #change(change: Partial<MemberRecord>): void {
    this.#store(change)
    if (this.#announced) this.#host.publish()
  }

  /** A new incarnation or epoch has no accusers yet. */
  #store(change: Partial<MemberRecord>): void {
    const { self } = this.#members
    this.#members.update(
      self,
      { ...self.record, ...change, hard: [], soft: [] },
      self.verdict,
      this.#runtime.now(),
    )
  }
}

function speaksAgainst(record: MemberRecord): boolean {
  return record.left || record.hard.length > 0 || record.soft.length > 0
}

export function nameConflict(twin: MemberRecord): HearsayError {
  return new HearsayError(
    'ERR_NAME_CONFLICT',
    `The name '${twin.name}' is used by a live process at ${twin.address}; give this node another name.`,
  )
}
