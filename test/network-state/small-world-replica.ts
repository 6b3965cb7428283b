import { LogSet, type VersionRow } from '../../src/network-state/log-set.ts'
import {
  LogIntake,
  type LogReceiver,
  type LogStream,
  type StreamHeader,
} from '../../src/network-state/log-transfer.ts'
import type { Item, LogLimits, OwnerLog } from '../../src/network-state/owner-log.ts'
import type { EpochId } from '../../src/wire/epoch.ts'
import { dump, known, print } from './oracle.ts'

/** A mistake to be made on purpose, so as to see whether the checker sees it. */
export interface Fault {
  /** Changes a log that a replica has just opened. */
  log?(log: OwnerLog): void
  build?(log: OwnerLog, peer: VersionRow): LogStream | undefined
  open?(logs: LogSet, intake: LogIntake, header: StreamHeader): LogReceiver | undefined
  item?(receiver: LogReceiver, log: OwnerLog, item: Item): ReturnType<LogReceiver['item']>
}

export type Sight =
  | 'new'
  | 'duplicate'
  | 'refused'
  | 'stale'
  | 'held'
  | 'discarded'
  | 'joined'
  | 'not joined'
  | 'full'

/** What can happen to a replica. */
export type Step =
  | {
      readonly kind: 'event'
      readonly id: EpochId
      readonly base: number
      readonly item: Item
      readonly superseded: readonly number[]
    }
  | { readonly kind: 'begin' | 'transfer'; readonly stream: LogStream }
  | { readonly kind: 'frame' | 'cut'; readonly stream: number }
  | { readonly kind: 'forget' }

interface OpenStream {
  readonly intake: LogIntake
  readonly described: OwnerLog | undefined
  readonly stream: LogStream
  at: number
  receiver: LogReceiver | undefined
  bound: OwnerLog | undefined
  readonly held: Item[]
}

/** The one owner of a small world. */
export const OWNER = 'O'

/** One replica of a small world, run by the code under test. */
export class Replica {
  readonly logs: LogSet
  readonly #fault: Fault
  readonly #seen = new WeakSet<OwnerLog>()
  streams: OpenStream[] = []
  /** What the last step did. */
  sights: Sight[] = []

  constructor(limits: LogLimits, fault: Fault) {
    this.logs = new LogSet({ limits })
    this.#fault = fault
  }

  get log(): OwnerLog | undefined {
    return this.logs.get(OWNER)
  }

  do(step: Step): void {
    this.sights = []
    switch (step.kind) {
      case 'event': {
        const log = this.logs.logFor(OWNER, step.id, step.base)
        this.#break(log)
        this.sights.push(log?.applyLast(step.item, step.superseded) ?? 'stale')
        break
      }
      case 'begin':
        this.streams.push(this.#begin(step.stream))
        break
      case 'transfer': {
        const open = this.#begin(step.stream)
        while (!this.#frame(open));
        break
      }
      case 'frame':
        if (this.#frame(this.streams[step.stream]!)) this.streams.splice(step.stream, 1)
        break
      case 'cut':
        this.streams.splice(step.stream, 1)
        break
      case 'forget':
        this.logs.forget(OWNER)
    }
    if (this.#fault.open === undefined) this.streams = this.streams.filter((open) => !isDead(open))
  }

  #begin(stream: LogStream): OpenStream {
    const described = this.log
    const intake = new LogIntake(this.logs, [OWNER])
    return { intake, described, stream, at: 0, receiver: undefined, bound: undefined, held: [] }
  }

  /** Delivers the next frame of a stream: the header and the first item together, each further item, the commit. */
  #frame(open: OpenStream): boolean {
    const { stream, intake } = open
    if (open.at === 0) {
      const faulty = this.#fault.open
      open.receiver = faulty === undefined ? intake.open(stream) : faulty(this.logs, intake, stream)
      open.bound = open.receiver === undefined ? undefined : this.log
      this.#break(this.log)
    }
    const item = stream.items[open.at++]
    const { receiver, bound } = open
    if (receiver === undefined || bound === undefined) return item === undefined
    if (item === undefined) {
      const result = receiver.commit(stream.commit)
      this.sights.push(result === 'refused' ? 'not joined' : result)
      if (stream.commit.alive !== undefined) this.sights.push('full')
      return true
    }
    const result = this.#fault.item?.(receiver, bound, item) ?? receiver.item(item)
    this.sights.push(result)
    if (result === 'held') open.held.push(item)
    return false
  }

  #break(log: OwnerLog | undefined): void {
    if (log === undefined || this.#seen.has(log)) return
    this.#seen.add(log)
    this.#fault.log?.(log)
  }

  describe(): string {
    const streams = this.streams.map((open) => {
      const bound = open.at > 0 ? open.bound : open.described
      const binding = bound === undefined ? 'none' : bound === this.log ? 'current' : known(bound)
      return `${printStream(open.stream)} ${open.at} ${binding} ${open.held.map(print)}`
    })
    return [dump(this.log), ...streams.sort()].join(' | ')
  }
}

/** Whether no frame of a stream can have an effect any more. */
function isDead({ at, receiver, bound, described, stream }: OpenStream): boolean {
  if (at > 0) return receiver === undefined || bound === undefined || bound.retired
  return described?.retired === true && described.id.time === stream.id.time
}

export function printStream({ id, from, items, commit }: LogStream): string {
  const { contiguous, ranges, alive } = commit
  const full = alive === undefined ? '' : ` alive ${alive.pairs.join(',')}`
  return `${id.time}:${from} [${items.map(print).join(' ')}] ${contiguous}+${ranges.pairs.join(',')}${full}`
}

/** Equal for steps that do the same. */
export function printStep(step: Step): string {
  switch (step.kind) {
    case 'event':
      return `event ${step.id.time} ${step.base} ${print(step.item)} ${step.superseded}`
    case 'begin':
    case 'transfer':
      return `${step.kind} ${step.stream.base} ${printStream(step.stream)}`
    case 'frame':
    case 'cut':
      return `${step.kind} ${step.stream}`
    case 'forget':
      return 'forget'
  }
}
