import type { Timer } from '../runtime/runtime.ts'
import { type Clock, nodeClock } from './node-clock.ts'
import type { Run } from './node-commands.ts'
import { backoffMs, drawChance } from './pacing.ts'

/** Something that the kernel said it had done. */
export interface KernelEvent {
  readonly kind: 'link' | 'address' | 'neighbour' | 'route'
  /** The device that it is about; empty for a route with none or several. */
  readonly device: string
  /** The line of `ip monitor`, to be searched for more. FDB rows are neighbours there. */
  readonly text: string
}

export interface MonitorListener {
  onEvent(event: KernelEvent): void
  /** Some events may have been missed. */
  onGap(): void
}

const ARGS = ['-oneline', 'monitor', 'label', 'link', 'address', 'neigh', 'route']
const KINDS: Readonly<Record<string, KernelEvent['kind']>> = {
  LINK: 'link',
  ADDR: 'address',
  NEIGH: 'neighbour',
  ROUTE: 'route',
}
/** By then `ip monitor` listens; what happened before it did is a gap. */
const READY_AFTER_MS = 250
const RESTART = { minMs: 100, maxMs: 10_000 }

const monitors = new WeakMap<Run, KernelMonitor>()

/**
 * What goes on in one network namespace, heard through one `ip monitor` however many listen. It runs while
 * somebody does, and is started again, with backoff, when it ends.
 */
export class KernelMonitor {
  readonly #run: Run
  readonly #clock: Clock
  readonly #listeners = new Set<MonitorListener>()
  #stop: (() => void) | undefined
  #timer: Timer | undefined
  #failuresInRow = 0

  /** The one that is shared by all who use this `Run`. */
  static of(run: Run): KernelMonitor {
    const monitor = monitors.get(run) ?? new KernelMonitor(run)
    monitors.set(run, monitor)
    return monitor
  }

  constructor(run: Run, clock: Clock = nodeClock) {
    this.#run = run
    this.#clock = clock
  }

  /** Calls back for each event from now on, until the returned function is called. */
  listen(listener: MonitorListener): () => void {
    const own = { ...listener }
    this.#listeners.add(own)
    if (this.#listeners.size === 1) this.#start()
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return
      this.#timer?.cancel()
      this.#stop?.()
      this.#stop = undefined
    }
  }

  #start(): void {
    this.#stop = this.#run.follow?.('ip', ARGS, {
      onLine: (line) => this.#take(line),
      onComplaint: () => this.#gap(),
      onEnd: () => this.#restart(),
    })
    this.#timer = this.#clock.setTimer(READY_AFTER_MS, () => {
      this.#failuresInRow = 0
      this.#gap()
    })
  }

  #restart(): void {
    this.#timer?.cancel()
    this.#failuresInRow++
    const delayMs = backoffMs(RESTART, this.#failuresInRow, drawChance(this.#clock))
    this.#timer = this.#clock.setTimer(delayMs, () => this.#start())
  }

  #take(line: string): void {
    const event = parseEvent(line)
    if (event !== undefined) for (const listener of this.#listeners) listener.onEvent(event)
  }

  #gap(): void {
    for (const listener of this.#listeners) listener.onGap()
  }
}

/** What a line of `ip -oneline monitor label` is about; undefined if it is nothing that we ask for. */
export function parseEvent(line: string): KernelEvent | undefined {
  const [, label = '', text = ''] = /^\[([A-Z]+)\](?:Deleted )?(.*)/.exec(line) ?? []
  const kind = KINDS[label]
  if (kind === undefined) return undefined
  const hasDeviceFirst = kind === 'link' || kind === 'address'
  const [, device = ''] = (hasDeviceFirst ? /^\d+: ([^:@\s]+)/ : /(?:^|\s)dev (\S+)/).exec(text) ?? []
  return { kind, device, text }
}
