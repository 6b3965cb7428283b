import { LogSet } from '../../src/network-state/log-set.ts'
import {
  buildStream,
  LogIntake,
  type LogReceiver,
  type LogStream,
} from '../../src/network-state/log-transfer.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import { type Item, LOG_LIMITS, type LogLimits, type OwnerLog } from '../../src/network-state/owner-log.ts'
import { print, violation } from './oracle.ts'

interface Open {
  readonly to: string
  readonly intake: LogIntake
  readonly stream: LogStream
  receiver: LogReceiver | undefined
  at: number
}

/**
 * An owner O and replicas A, B, C, driven by traces like `set a@1; del a@2; a@1->A; sync(A,B)`. After each step every
 * log is compared with what O has written.
 *
 * | step | |
 * |---|---|
 * | `set a@1`, `del a@2` | O writes |
 * | `a@1->A` | the event reaches a replica |
 * | `sync(A,B)` | both ways, in one step |
 * | `stream O->A` | a version vector went to O, and O has built what A lacks |
 * | `frame`, `commit`, `cut`; `frame 2` … | the next frame of the first (second) open stream; all of them; its end |
 * | `forget A` | A forgets the log |
 */
export class Trace {
  readonly own: OwnLog
  readonly #sets = new Map<string, LogSet>()
  readonly #history: Item[] = []
  readonly #open: Open[] = []

  constructor(limits: Partial<LogLimits> = {}) {
    for (const name of 'OABC') this.#sets.set(name, new LogSet({ limits: { ...LOG_LIMITS, ...limits } }))
    this.own = new OwnLog(this.#sets.get('O')!, 'O', { time: 1, nonce: 1 }, false)
  }

  run(trace: string): this {
    for (const step of trace.split(';')) {
      this.#do(step.trim())
      for (const [name, logs] of this.#sets) {
        const log = logs.get('O')
        const broken = log === undefined ? undefined : violation(log, this.#history)
        if (broken !== undefined) throw new Error(`${step} at ${name}: ${broken}`)
      }
    }
    return this
  }

  log(name: string): OwnerLog {
    const log = this.#sets.get(name)!.get('O')
    if (log === undefined) throw new Error(`${name} has no log`)
    return log
  }

  live(name: string): string[] {
    return [...this.log(name).live.values()].map(print).sort()
  }

  agree(...names: string[]): boolean {
    const digests = names.map((name) => JSON.stringify(this.#sets.get(name)!.digest(() => true)))
    return new Set(digests).size === 1
  }

  /** The stream built last. */
  get stream(): LogStream {
    return this.#open.at(-1)!.stream
  }

  #do(step: string): void {
    const words = step.split(/[ (,)@]+|->/)
    const [first = '', second = '', third = ''] = words
    if (first === 'set' || first === 'del') {
      const item = this.own.write(second, first === 'set' ? Uint8Array.of() : undefined, this.#history.length)
      if (third !== '' && Number(third) !== item.seq) throw new Error(`${step} is operation ${item.seq}`)
      this.#history.push(item)
    } else if (first === 'sync') {
      const opened = [this.#build(second, third), this.#build(third, second)]
      for (const open of opened) while (open !== undefined && !this.#frame(open));
    } else if (first === 'stream') {
      const open = this.#build(second, third)
      if (open === undefined) throw new Error(`${second} has nothing for ${third}`)
      this.#open.push(open)
    } else if (first === 'frame') {
      this.#frame(this.#opened(second))
    } else if (first === 'commit') {
      while (!this.#frame(this.#opened(second)));
      this.#close(second)
    } else if (first === 'cut') {
      this.#close(second)
    } else if (first === 'forget') {
      this.#sets.get(second)!.forget('O')
    } else {
      this.#sets.get(third)!.apply('O', this.own.id, 0, this.#history[Number(second) - 1]!)
    }
  }

  #build(from: string, to: string): Open | undefined {
    const intake = new LogIntake(this.#sets.get(to)!, ['O'])
    const log = this.#sets.get(from)!.get('O')
    const stream = log === undefined ? undefined : buildStream(log, intake.rows[0])
    return stream === undefined ? undefined : { to, intake, stream, receiver: undefined, at: 0 }
  }

  #frame(open: Open): boolean {
    if (open.at === 0) open.receiver = open.intake.open(open.stream)
    const item = open.stream.items[open.at++]
    if (item === undefined) open.receiver?.commit(open.stream.commit)
    else open.receiver?.item(item)
    return item === undefined
  }

  #opened(ordinal: string): Open {
    return this.#open[Number(ordinal || 1) - 1]!
  }

  #close(ordinal: string): void {
    this.#open.splice(Number(ordinal || 1) - 1, 1)
  }
}
