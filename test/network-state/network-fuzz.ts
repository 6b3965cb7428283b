import { LogSet } from '../../src/network-state/log-set.ts'
import {
  buildStream,
  LogIntake,
  type LogReceiver,
  type LogStream,
} from '../../src/network-state/log-transfer.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import { type Item, LOG_LIMITS, type LogLimits, type OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { compareEpochs, type EpochId } from '../../src/wire/epoch.ts'
import { state, violation } from './oracle.ts'

/** What a batch of runs did: a fuzz that never cuts a stream proves nothing about cut streams. */
export type Tally = Record<
  | 'steps'
  | 'written'
  | 'superseding'
  | 'new'
  | 'duplicate'
  | 'stale'
  | 'refused'
  | 'synced'
  | 'streams'
  | 'full'
  | 'cut'
  | 'held'
  | 'joined'
  | 'not joined'
  | 'discarded'
  | 'restarts'
  | 'not higher'
  | 'inherited'
  | 'bumps'
  | 'joins'
  | 'crashes'
  | 'forgets',
  number
>

export function emptyTally(): Tally {
  return {
    steps: 0,
    written: 0,
    superseding: 0,
    new: 0,
    duplicate: 0,
    stale: 0,
    refused: 0,
    synced: 0,
    streams: 0,
    full: 0,
    cut: 0,
    held: 0,
    joined: 0,
    'not joined': 0,
    discarded: 0,
    restarts: 0,
    'not higher': 0,
    inherited: 0,
    bumps: 0,
    joins: 0,
    crashes: 0,
    forgets: 0,
  }
}

interface Event {
  readonly owner: string
  readonly id: EpochId
  readonly base: number
  readonly item: Item
  /** Numbers of some of the earlier operations on its key. */
  readonly superseded: readonly number[]
}

interface OpenStream {
  readonly to: Node
  /** The process of the receiver: a restarted one knows nothing of the stream. */
  readonly logs: LogSet
  readonly intake: LogIntake
  readonly stream: LogStream
  receiver: LogReceiver | undefined
  at: number
}

interface Node {
  readonly name: string
  logs: LogSet
  own: OwnLog
  /** What the application on this node has set. */
  table: Map<string, Uint8Array>
  /** What an observer who knows only the listener's calls believes. */
  seen: Map<string, Map<string, Item>>
  /** The epochs of the logs that it holds. */
  epochs: Map<string, EpochId>
  forgetting: boolean
}

const KEYS = ['a', 'b', 'c', 'd', 'e']
const TINY: LogLimits = { ranges: 2, joinedRanges: 3, tombs: 2, joinedTombs: 3, dels: 1, rowRanges: 1 }

/**
 * One run: a few nodes that are all owners, with every kind of trouble drawn from the seed. After each step every log
 * that it touched is compared with the history of its owner. Throws at the first rule broken.
 */
export function fuzz(seed: number, steps: number, tally: Tally): void {
  new Run(seed, tally).run(steps)
}

class Run {
  readonly #seed: number
  readonly #tally: Tally
  readonly #limits: LogLimits
  readonly #tiny: boolean
  readonly #nodes: Node[] = []
  readonly #names: string[] = []
  readonly #histories = new Map<string, Item[]>()
  #events: Event[] = []
  #streams: OpenStream[] = []
  #random: number
  #stamp = 0
  #epoch = 100
  #step = 0

  constructor(seed: number, tally: Tally) {
    this.#seed = seed
    this.#tally = tally
    this.#random = seed
    this.#tiny = this.#below(3) === 0
    this.#limits = this.#tiny
      ? TINY
      : { ...LOG_LIMITS, dels: this.#below(4), rowRanges: this.#chance(2) ? 1 : 64 }
    for (let i = 2 + this.#below(4); i > 0; i--) this.#join()
  }

  run(steps: number): void {
    for (this.#step = 1; this.#step <= steps; this.#step++) {
      this.#tally.steps++
      this.#act()
    }
    this.#settle()
  }

  #act(): void {
    const draw = this.#below(1000)
    const node = this.#pick(this.#nodes)!
    if (draw < 330) this.#write(node)
    else if (draw < 740) this.#deliver(node)
    else if (draw < 790) this.#sync(node, this.#pick(this.#nodes)!)
    else if (draw < 820) this.#openStreams(node, this.#pick(this.#nodes)!)
    else if (draw < 965) this.#frame()
    else if (draw < 977) this.#forget(node)
    else if (draw < 990) this.#restart(node)
    else if (draw < 993 && this.#names.length < 8) this.#join()
    else if (draw < 994 && this.#nodes.length > 3) this.#crash(node)
    else if (this.#events.length > 40) this.#events.splice(0, 20)
  }

  #write(node: Node): void {
    const key = this.#pick(KEYS)!
    const value = node.table.has(key) && this.#chance(3) ? undefined : Uint8Array.of(this.#below(256))
    if (value === undefined) node.table.delete(key)
    else node.table.set(key, value)
    const item = node.own.write(key, value, ++this.#stamp)
    const history = this.#history(node.name, node.own.id)
    const superseded = this.#superseded(history, key)
    history.push(item)
    this.#events.push({ owner: node.name, id: node.own.id, base: node.own.log.base, item, superseded })
    this.#tally.written++
    this.#check(node, node.name)
  }

  #superseded(history: readonly Item[], key: string): readonly number[] {
    if (this.#chance(2)) return []
    const earlier = history.filter((item) => item.key === key && !this.#chance(3)).slice(-8)
    if (earlier.length > 0) this.#tally.superseding++
    return Ranges.ofAscending(earlier.map(({ seq }) => seq)).pairs
  }

  /** Gives a node some event of the past: in any order, any number of times, or never. */
  #deliver(node: Node): void {
    const event = this.#pick(this.#events)
    if (event === undefined) return
    const { owner, id, base, item, superseded } = event
    if (owner === node.name) {
      if (node.own.conflictsWith(id, item.seq)) this.#bump(node, id)
      return
    }
    this.#tally[node.logs.apply(owner, id, base, item, superseded)]++
    this.#check(node, owner)
  }

  /** A whole two-way sync in one step. */
  #sync(a: Node, b: Node): void {
    if (a === b) return
    this.#tally.synced++
    for (const open of this.#exchange(a, b)) while (!this.#next(open));
  }

  #openStreams(a: Node, b: Node): void {
    if (a !== b) this.#streams.push(...this.#exchange(a, b))
  }

  #exchange(a: Node, b: Node): OpenStream[] {
    const toA = new LogIntake(a.logs, this.#names)
    const toB = new LogIntake(b.logs, this.#names)
    for (const [node, peer] of [[a, toB] as const, [b, toA] as const]) {
      const row = peer.rows.find(({ owner }) => owner === node.name)
      if (row !== undefined && node.own.conflict(row)) this.#bump(node, row.id)
    }
    return [...this.#build(b, a, toA), ...this.#build(a, b, toB)]
  }

  #build(from: Node, to: Node, intake: LogIntake): OpenStream[] {
    const streams: OpenStream[] = []
    for (const row of intake.rows) {
      const log = from.logs.get(row.owner)
      const stream = log === undefined ? undefined : buildStream(log, row)
      if (stream === undefined) continue
      this.#tally.streams++
      if (stream.commit.alive !== undefined) this.#tally.full++
      streams.push({ to, logs: to.logs, intake, stream, receiver: undefined, at: 0 })
    }
    return streams
  }

  #frame(): void {
    const open = this.#pick(this.#streams)
    if (open === undefined) return
    const cut = this.#below(12) === 0
    if (cut) this.#tally.cut++
    if (cut || this.#next(open)) this.#streams = this.#streams.filter((other) => other !== open)
  }

  /** Delivers one frame; true if it was the last. */
  #next(open: OpenStream): boolean {
    const { stream, to } = open
    if (open.logs !== to.logs) return true
    if (open.at === 0) open.receiver = open.intake.open(stream)
    const item = stream.items[open.at++]
    if (open.receiver === undefined) this.#tally.discarded++
    else if (item !== undefined) this.#tally[open.receiver.item(item)]++
    else {
      const result = open.receiver.commit(stream.commit)
      this.#tally[result === 'refused' ? 'not joined' : result]++
    }
    this.#check(to, stream.owner)
    return item === undefined
  }

  #forget(node: Node): void {
    const owner = this.#pick(this.#names)!
    node.forgetting = true
    if (node.logs.forget(owner)) {
      this.#tally.forgets++
      node.epochs.delete(owner)
    }
    node.forgetting = false
    this.#check(node, owner)
  }

  #bump(node: Node, seen: EpochId): void {
    this.#tally.bumps++
    node.own.bump(seen)
    this.#record(node)
    this.#check(node, node.name)
  }

  #restart(node: Node): void {
    this.#tally.restarts++
    node.logs = this.#logs(node)
    node.seen = new Map()
    node.epochs = new Map()
    const seed = this.#pick(this.#nodes)!
    if (seed !== node && this.#chance(2)) {
      const intake = new LogIntake(node.logs, this.#names)
      for (const open of this.#build(seed, node, intake)) while (!this.#next(open));
    }
    this.#open(node)
  }

  #join(): void {
    this.#tally.joins++
    const name = `node-${this.#names.length}`
    this.#names.push(name)
    const node = { name, seen: new Map(), epochs: new Map(), forgetting: false } as unknown as Node
    node.logs = this.#logs(node)
    this.#open(node)
    this.#nodes.push(node)
  }

  /** Its log lives on at the others. */
  #crash(node: Node): void {
    this.#tally.crashes++
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
    this.#streams = this.#streams.filter(({ to }) => to !== node)
  }

  /** Opens the node's own log, at times with an epoch that is not above that of its earlier life. */
  #open(node: Node): void {
    const before = node.logs.get(node.name)
    this.#epoch += this.#below(3) - 1
    const id = { time: this.#epoch, nonce: this.#next32() }
    if (before !== undefined && before.id.time >= id.time) this.#tally['not higher']++
    node.own = new OwnLog(node.logs, node.name, id, this.#below(4) > 0)
    if (node.own.log.base > 0) this.#tally.inherited++
    node.table = new Map([...node.own.log.live].map(([key, { value }]) => [key, value!]))
    this.#record(node)
    this.#check(node, node.name)
  }

  #record({ name, own }: Node): void {
    this.#histories.set(`${name} ${own.id.time}.${own.id.nonce}`, [...own.log.live.values()])
  }

  #history(owner: string, { time, nonce }: EpochId): Item[] {
    return this.#histories.get(`${owner} ${time}.${nonce}`)!
  }

  #logs(node: Node): LogSet {
    return new LogSet({ limits: this.#limits, listener: (log, key) => this.#observe(node, log, key) })
  }

  #observe(node: Node, log: OwnerLog, key: string): void {
    const entry = log.entry(key)
    let entries = node.seen.get(log.owner)
    if (entries === undefined) {
      entries = new Map()
      node.seen.set(log.owner, entries)
    }
    if (entry !== undefined) entries.set(key, entry)
    else if (entries.delete(key) && !node.forgetting && log.contiguous < log.base && !log.tombs.has(key)) {
      this.#fail(`${key} of ${log.owner} vanished in the hand-over at ${node.name}`)
    }
  }

  #check(node: Node, owner: string): void {
    const log = node.logs.get(owner)
    if (log !== undefined) {
      const broken = violation(log, this.#history(owner, log.id))
      if (broken !== undefined) this.#fail(`log of ${owner} at ${node.name}: ${broken}`)
      const epoch = node.epochs.get(owner) ?? log.id
      if (compareEpochs(log.id, epoch) < 0) this.#fail(`the epoch of ${owner} fell back at ${node.name}`)
      node.epochs.set(owner, log.id)
    }
    const seen = node.seen.get(owner)
    let count = 0
    for (const item of log?.entries() ?? []) {
      count++
      if (seen?.get(item.key) !== item)
        this.#fail(`the listener at ${node.name} missed ${item.key} of ${owner}`)
    }
    if (count !== (seen?.size ?? 0)) this.#fail(`the listener at ${node.name} missed a removal at ${owner}`)
  }

  /** Everyone syncs with everyone; then all must agree with each owner, and each owner with its application. */
  #settle(): void {
    this.#streams = []
    for (let round = 0; round < 3; round++) {
      for (const a of this.#nodes) for (const b of this.#nodes) this.#sync(a, b)
    }
    const first = this.#nodes[0]!
    for (const name of this.#names) {
      const owner = this.#nodes.find((node) => node.name === name)
      // Where bounds make nodes refuse each other's state, only the owner brings them together.
      if (owner === undefined && this.#tiny) continue
      const want = state((owner ?? first).logs.get(name))
      for (const node of this.#nodes) {
        const have = state(node.logs.get(name))
        if (have !== want) this.#fail(`log of ${name} at ${node.name}: ${have}, not ${want}`)
      }
    }
    const alive = (name: string): boolean => this.#nodes.some((node) => node.name === name)
    const want = first.logs.digest(alive)
    for (const { name, logs, own, table } of this.#nodes) {
      const have = logs.digest(alive)
      if (have.high !== want.high || have.low !== want.low)
        this.#fail(`digest of ${name} differs at the same state`)
      const live = own.log.live
      if (
        live.size !== table.size ||
        [...table].some(([key, value]) => live.get(key)?.value?.[0] !== value[0])
      ) {
        this.#fail(`the log of ${name} is not what its application has set`)
      }
    }
  }

  #fail(message: string): never {
    throw new Error(`seed ${this.#seed}, step ${this.#step}: ${message}`)
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)]
  }

  #chance(oneIn: number): boolean {
    return this.#below(oneIn) === 0
  }

  #below(limit: number): number {
    return Math.floor((this.#next32() / 0x1_0000_0000) * limit)
  }

  /** Mulberry32. */
  #next32(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
