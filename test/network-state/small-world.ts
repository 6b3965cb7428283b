import { LogSet, type VersionRow } from '../../src/network-state/log-set.ts'
import { buildStream, type LogStream } from '../../src/network-state/log-transfer.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import { type Item, LOG_LIMITS, type LogLimits, type OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { compareEpochs, NO_EPOCH } from '../../src/wire/epoch.ts'
import { dump, known, print, state, violation } from './oracle.ts'
import {
  type Fault,
  OWNER,
  printStep,
  printStream,
  Replica,
  type Sight,
  type Step,
} from './small-world-replica.ts'

/**
 * A world of one owner O and two replicas A and B, small enough to visit every state that it can get into, with the
 * production code doing every step. Any operation may reach any replica at any time or never; two nodes may sync.
 *
 * A replica's next state depends on nothing but its own state and what happens to it. So each distinct step of one
 * replica is executed once, and a state of the world is three small numbers.
 */
export interface World {
  /** How many operations O may write, and on how many keys. */
  readonly ops: number
  readonly keys: number
  /** How often O may open another epoch. */
  readonly bumps?: number
  /** 0: syncs happen in one step, both ways. Else how many streams may be open at once, frame by frame. */
  readonly streams?: number
  /** Events may name any of the earlier operations on their key. */
  readonly superseding?: boolean
  /** Replicas may forget the log at any time. */
  readonly forget?: boolean
  /** So small bounds that two replicas may refuse each other; O must still be able to make them agree. */
  readonly refuses?: boolean
  readonly limits?: Partial<LogLimits>
  readonly fault?: Fault
}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** How many distinct states a single replica got into. */
  readonly replicaStates: number
  readonly complete: boolean
  /** How often distinct steps of a replica did what: a world that never refuses proves nothing about refusals. */
  readonly seen: Readonly<Record<Sight, number>>
  /** The first rule broken, and a shortest way to get there. */
  readonly violation: { readonly rule: string; readonly trace: readonly string[] } | undefined
}

interface ReplicaState {
  readonly index: number
  readonly path: readonly Step[]
  /** Read only: to be copied by walking its path again. */
  readonly replica: Replica
  readonly row: VersionRow
  readonly rowText: string
  readonly state: string
}

/** What O has written so far. */
interface Past {
  readonly index: number
  readonly moves: readonly Move[]
  readonly log: OwnerLog
  readonly epochs: readonly (readonly Item[])[]
  readonly events: readonly Event[]
  next: readonly { readonly label: string; readonly past: Past }[] | undefined
}

type Move = { readonly key: string; readonly remove: boolean } | 'bump'

interface Event {
  readonly step: number
  readonly label: string
}

const FACTOR = 2 ** 20

/** Visits every state of the world, breadth first, until a rule is broken. */
export function explore(world: World): Exploration {
  return new Explorer(world).run()
}

class Explorer {
  readonly #world: World
  readonly #limits: LogLimits
  readonly #fault: Fault
  readonly #keys: readonly string[]

  readonly #steps: Step[] = []
  readonly #stepIndex = new Map<string, number>()
  readonly #replicas: ReplicaState[] = []
  readonly #replicaIndex = new Map<string, number>()
  readonly #pasts: Past[] = []
  readonly #taken = new Map<number, number>()
  readonly #built = new Map<string, { readonly begin: number; readonly transfer: number } | undefined>()
  /** Logs of pasts and of interned replicas do not change. */
  readonly #dumps = new WeakMap<OwnerLog, string>()
  readonly #checked = new Set<number>()
  readonly #agreed = new Set<number>()
  readonly #hashes = new Map<string, string>()

  readonly #labels: string[] = []
  readonly #visited = new Set<number>()
  readonly #parents: number[] = []
  readonly #arrivals: { readonly past: number; readonly a: number; readonly b: number }[] = []
  readonly #swaps: boolean[] = []
  readonly #seen: Record<Sight, number> = {
    new: 0,
    duplicate: 0,
    refused: 0,
    stale: 0,
    held: 0,
    discarded: 0,
    joined: 0,
    'not joined': 0,
    full: 0,
  }
  #transitions = 0
  #broken: string | undefined

  constructor(world: World) {
    this.#world = world
    this.#limits = { ...LOG_LIMITS, ...world.limits }
    this.#fault = world.fault ?? {}
    this.#keys = ['a', 'b', 'c'].slice(0, world.keys)
  }

  run(): Exploration {
    const blank = this.#intern([])
    this.#arrive(-1, '', this.#past([]), blank, blank)
    let at = 0
    for (; at < this.#arrivals.length && this.#broken === undefined; at++) this.#expand(at)
    return {
      states: this.#arrivals.length,
      transitions: this.#transitions,
      replicaStates: this.#replicas.length,
      seen: this.#seen,
      complete: at === this.#arrivals.length && this.#broken === undefined,
      violation:
        this.#broken === undefined
          ? undefined
          : { rule: this.#broken, trace: this.#trace(this.#arrivals.length - 1) },
    }
  }

  #expand(at: number): void {
    const arrival = this.#arrivals[at]!
    const past = this.#pasts[arrival.past]!
    const pair = [this.#replicas[arrival.a]!, this.#replicas[arrival.b]!] as const
    const go = (label: string, next: Past, a: ReplicaState, b: ReplicaState): void => {
      if (this.#broken === undefined) this.#arrive(at, label, next, a, b)
    }
    const change = (side: 0 | 1, label: string, replica: ReplicaState): void => {
      if (replica === pair[side]) return
      if (side === 0) go(label, past, replica, pair[1])
      else go(label, past, pair[0], replica)
    }

    for (const { label, past: next } of this.#continuations(past)) go(label, next, pair[0], pair[1])
    for (const side of [0, 1] as const) {
      for (const { step, label } of past.events)
        change(side, `${label} -> {${side}}`, this.#take(pair[side], step))
      if (this.#world.forget)
        change(side, `{${side}} forgets`, this.#take(pair[side], this.#step({ kind: 'forget' })))
    }
    if ((this.#world.streams ?? 0) > 0) this.#stream(past, pair, change)
    else this.#sync(past, pair, go)
  }

  #sync(
    past: Past,
    pair: readonly [ReplicaState, ReplicaState],
    go: (label: string, past: Past, a: ReplicaState, b: ReplicaState) => void,
  ): void {
    go('sync(O,{0})', past, this.#receive(past.log, pair[0]), pair[1])
    go('sync(O,{1})', past, pair[0], this.#receive(past.log, pair[1]))
    go('sync({0},{1})', past, this.#receiveFrom(pair[1], pair[0]), this.#receiveFrom(pair[0], pair[1]))
  }

  #stream(
    past: Past,
    pair: readonly [ReplicaState, ReplicaState],
    change: (side: 0 | 1, label: string, replica: ReplicaState) => void,
  ): void {
    const open = pair[0].replica.streams.length + pair[1].replica.streams.length
    for (const side of [0, 1] as const) {
      const receiver = pair[side]
      for (let i = 0; i < receiver.replica.streams.length; i++) {
        change(
          side,
          `frame of stream ${i} -> {${side}}`,
          this.#take(receiver, this.#step({ kind: 'frame', stream: i })),
        )
        change(
          side,
          `stream ${i} -> {${side}} is cut`,
          this.#take(receiver, this.#step({ kind: 'cut', stream: i })),
        )
      }
      if (open >= this.#world.streams!) continue
      const senders = [['O', past.log] as const, [`{${1 - side}}`, pair[1 - side]!.replica.log] as const]
      for (const [name, log] of senders) {
        const built = log === undefined ? undefined : this.#build(log, receiver)
        if (built === undefined) continue
        const { stream } = this.#steps[built.begin] as { readonly stream: LogStream }
        const label = `stream ${name} -> {${side}}: ${printStream(stream)}`
        change(side, label, this.#take(receiver, built.begin))
      }
    }
  }

  #arrive(parent: number, label: string, past: Past, first: ReplicaState, second: ReplicaState): void {
    this.#transitions++
    // A and B are alike: of two states that differ only in which is which, one is enough.
    const swapped = first.index > second.index
    const a = swapped ? second : first
    const b = swapped ? first : second
    const code = (past.index * FACTOR + a.index) * FACTOR + b.index
    if (!Number.isSafeInteger(code) || b.index >= FACTOR)
      throw new RangeError('The world is too large to number.')
    if (this.#visited.has(code)) return
    this.#visited.add(code)
    this.#arrivals.push({ past: past.index, a: a.index, b: b.index })
    this.#parents.push(parent)
    this.#labels.push(label)
    this.#swaps.push(swapped)
    this.#check(past, a, b)
  }

  #check(past: Past, a: ReplicaState, b: ReplicaState): void {
    for (const replica of [a, b]) {
      const code = past.index * FACTOR + replica.index
      if (this.#checked.has(code)) continue
      this.#checked.add(code)
      const { log } = replica.replica
      if (log !== undefined) this.#fail(violation(log, past.epochs[log.id.time - 1]!))
      // O can always make a replica agree with it.
      const synced = this.#receive(past.log, replica)
      const owners = state(past.log)
      if (synced.state !== owners) this.#fail(`after a sync with O: ${synced.state}, not ${owners}`)
    }
    const code = a.index * FACTOR + b.index
    if (this.#world.refuses || this.#agreed.has(code)) return
    this.#agreed.add(code)
    const left = this.#receiveFrom(b, a)
    const right = this.#receiveFrom(a, b)
    if (left.state !== right.state) this.#fail(`after a sync: ${left.state}, not ${right.state}`)
  }

  #fail(rule: string | undefined): void {
    this.#broken ??= rule
  }

  /** A replica after a whole sync with another one. */
  #receiveFrom(sender: ReplicaState, receiver: ReplicaState): ReplicaState {
    return sender.replica.log === undefined ? receiver : this.#receive(sender.replica.log, receiver)
  }

  #receive(log: OwnerLog, receiver: ReplicaState): ReplicaState {
    const built = this.#build(log, receiver)
    return built === undefined ? receiver : this.#take(receiver, built.transfer)
  }

  #build(
    log: OwnerLog,
    receiver: ReplicaState,
  ): { readonly begin: number; readonly transfer: number } | undefined {
    let text = this.#dumps.get(log)
    if (text === undefined) {
      text = dump(log)
      this.#dumps.set(log, text)
    }
    const code = `${text} for ${receiver.rowText}`
    if (this.#built.has(code)) return this.#built.get(code)
    const stream = (this.#fault.build ?? buildStream)(log, receiver.row)
    const built =
      stream === undefined
        ? undefined
        : { begin: this.#step({ kind: 'begin', stream }), transfer: this.#step({ kind: 'transfer', stream }) }
    this.#built.set(code, built)
    return built
  }

  #step(step: Step): number {
    const code = printStep(step)
    let index = this.#stepIndex.get(code)
    if (index === undefined) {
      index = this.#steps.push(step) - 1
      if (index >= FACTOR) throw new RangeError('The world has too many steps to number.')
      this.#stepIndex.set(code, index)
    }
    return index
  }

  #take(from: ReplicaState, step: number): ReplicaState {
    const code = from.index * FACTOR + step
    const before = this.#taken.get(code)
    if (before !== undefined) return this.#replicas[before]!
    const to = this.#intern([...from.path, this.#steps[step]!])
    this.#taken.set(code, to.index)
    if (this.#steps[step]!.kind !== 'forget' && from.replica.log !== undefined) {
      this.#checkProgress(from.replica.log, to.replica.log)
      this.#checkHandOver(from.replica.log, to.replica.log)
    }
    return to
  }

  /** An epoch never falls back, and within it a known number stays known. */
  #checkProgress(from: OwnerLog, to: OwnerLog | undefined): void {
    const order = to === undefined ? -1 : compareEpochs(to.id, from.id)
    if (order < 0) this.#fail(`${known(from)} fell back to ${known(to)}`)
    for (let seq = 1; order === 0 && seq <= this.#world.ops; seq++) {
      if (from.knows(seq) && !to!.knows(seq)) this.#fail(`${known(from)} fell back to ${known(to)}`)
    }
  }

  /** What an agent sees goes by a delete, or because the opening snapshot is complete without it; else it stays. */
  #checkHandOver(from: OwnerLog, to: OwnerLog | undefined): void {
    if (to === undefined || to.contiguous >= to.base) return
    for (const { key } of from.entries()) {
      if (to.entry(key) === undefined && !to.tombs.has(key)) this.#fail(`${key} vanished in the hand-over`)
    }
  }

  #intern(path: readonly Step[]): ReplicaState {
    const replica = new Replica(this.#limits, this.#fault)
    for (const step of path) replica.do(step)
    for (const sight of replica.sights) this.#seen[sight]++
    const code = replica.describe()
    const present = this.#replicaIndex.get(code)
    if (present !== undefined) return this.#replicas[present]!
    const row = replica.logs.versionRows([OWNER])[0]!
    const created: ReplicaState = {
      index: this.#replicas.length,
      path,
      replica,
      row,
      rowText: `${row.id.time} ${row.contiguous} ${row.ranges.pairs}`,
      state: state(replica.log),
    }
    this.#replicaIndex.set(code, created.index)
    this.#replicas.push(created)
    this.#checkHash(created)
    return created
  }

  /** Equal hashes, equal known numbers, and the reverse. */
  #checkHash({ replica: { log } }: ReplicaState): void {
    if (log === undefined || log.empty) return
    const hash = `${log.hash.high}.${log.hash.low}`
    const numbers = known(log)
    for (const [key, value] of [
      [hash, numbers],
      [numbers, hash],
    ] as const) {
      if ((this.#hashes.get(key) ?? value) !== value)
        this.#fail(`${key} stands for ${value} and ${this.#hashes.get(key)}`)
      this.#hashes.set(key, value)
    }
  }

  #continuations(past: Past): NonNullable<Past['next']> {
    if (past.next !== undefined) return past.next
    const bumps = past.moves.filter((move) => move === 'bump').length
    const moves: Move[] = []
    if (past.moves.length - bumps < this.#world.ops) {
      for (const key of this.#keys) {
        moves.push({ key, remove: false })
        if (past.log.live.has(key)) moves.push({ key, remove: true })
      }
    }
    if (bumps < (this.#world.bumps ?? 0)) moves.push('bump')
    past.next = moves.map((move) => {
      const label = move === 'bump' ? 'O bumps' : `${move.remove ? 'del' : 'set'} ${move.key}`
      return { label, past: this.#past([...past.moves, move]) }
    })
    return past.next
  }

  #past(moves: readonly Move[]): Past {
    const own = new OwnLog(new LogSet({ limits: this.#limits }), OWNER, { time: 1, nonce: 1 }, false)
    const epochs: Item[][] = [[]]
    const bases = [0]
    for (const [index, move] of moves.entries()) {
      if (move === 'bump') {
        own.bump(NO_EPOCH)
        epochs.push([...own.log.live.values()])
        bases.push(own.log.base)
      } else {
        epochs.at(-1)!.push(own.write(move.key, move.remove ? undefined : Uint8Array.of(), index))
      }
    }
    const events = epochs.flatMap((items, epoch) =>
      items.flatMap((item) =>
        this.#selections(items, item).map((superseded) => {
          const id = { time: epoch + 1, nonce: 1 }
          const event = superseded.length === 0 ? print(item) : `${print(item)} over ${superseded}`
          return {
            step: this.#step({ kind: 'event', id, base: bases[epoch]!, item, superseded }),
            label: epoch === 0 ? event : `${event} of epoch ${epoch + 1}`,
          }
        }),
      ),
    )
    const past: Past = { index: this.#pasts.length, moves, log: own.log, epochs, events, next: undefined }
    this.#pasts.push(past)
    return past
  }

  /** What an event may say that it supersedes: nothing, or any of what came before it on its key. */
  #selections(items: readonly Item[], { key, seq }: Item): (readonly number[])[] {
    const selections: (readonly number[])[] = [[]]
    if (!this.#world.superseding) return selections
    for (const earlier of items) {
      if (earlier.key !== key || earlier.seq >= seq) continue
      selections.push(...selections.map((numbers) => [...numbers, earlier.seq]))
    }
    return selections.map((numbers) => Ranges.ofAscending(numbers).pairs)
  }

  #trace(at: number): string[] {
    const path: number[] = []
    for (let i = at; i >= 0; i = this.#parents[i]!) path.unshift(i)
    let names = ['A', 'B'] as const
    return path.slice(1).map((i) => {
      const line = this.#labels[i]!.replaceAll('{0}', names[0]).replaceAll('{1}', names[1])
      if (this.#swaps[i]) names = [names[1], names[0]] as unknown as typeof names
      return line
    })
  }
}
