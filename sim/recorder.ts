import { type ObserverListener, VIEW } from './observer.ts'
import type { Context } from './scenario.ts'
import { totalRanMs } from './scenarios/common.ts'

/** What was so at one moment, and since the moment before. */
interface Sample {
  readonly atMs: number
  /** Nodes that ran. */
  readonly live: number
  /** Share of all pairs of a node that runs and another, running or not, in which the first was right about the second. */
  readonly agreement: number
  /** Since the run began, of all nodes. */
  readonly packets: number
  readonly bytes: number
  readonly streamBytes: number
  readonly ranMs: number
  /** Bytes of each node since the run began, packets and streams. */
  readonly sent: Float64Array
  /** Per subject: observers that hold it alive, most that suspected it, most that held it failed, observers that saw it leave. */
  readonly views: Uint16Array
}

export interface Verdict {
  readonly atMs: number
  readonly observer: number
  readonly subject: number
  /** Of `VIEW`. */
  readonly view: number
}

/** Everything that was recorded, ready to be drawn. Series have one value for each of `atMs`. */
export interface Recording {
  readonly names: readonly string[]
  readonly atMs: readonly number[]
  readonly live: readonly number[]
  readonly agreement: readonly number[]
  /** Each node each second, since the sample before. */
  readonly packets: readonly number[]
  readonly bytes: readonly number[]
  readonly streamBytes: readonly number[]
  /** Bytes that the node that sent most sent each second. */
  readonly busiest: readonly number[]
  /** For each sample four numbers for each subject, as in `COLUMNS`. */
  readonly views: readonly Uint16Array[]
  readonly verdicts: readonly Verdict[]
  /** Verdicts that were not kept, since there were too many. */
  readonly verdictsDropped: number
  /** From each crash to the first survivor, to each survivor and to the last. */
  readonly detection: {
    readonly firstMs: readonly number[]
    readonly eachMs: readonly (readonly [ms: number, count: number])[]
    readonly everyoneMs: readonly number[]
  }
  readonly convergenceMs: readonly number[]
}

/** What is counted for each subject. */
export const COLUMNS = ['alive', 'suspect', 'failed', 'left'] as const

const MOST_SAMPLES = 512
const FIRST_INTERVAL_MS = 50
const MOST_VERDICTS = 20_000
const MOST_VERDICTS_PER_SUBJECT = 120
/** Times of detection by each survivor are counted in classes of this width. */
const CLASS_MS = 10

/**
 * Looks at a run while it goes on, in memory that does not grow with its length: when there are too many samples, each two become
 * one and the interval doubles. It changes nothing: a run that is recorded has the same trace as one that is not.
 */
export class Recorder implements ObserverListener {
  readonly #context: Context
  #intervalMs = FIRST_INTERVAL_MS
  #nextAt = 0
  #samples: Sample[] = []
  /** Observers by what they think, at subject * 5 + view, and the most there were since the last sample. */
  readonly #tallies: Uint16Array
  readonly #peaks: Uint16Array
  readonly #verdicts: Verdict[] = []
  readonly #verdictsOf: Uint16Array
  #verdictsDropped = 0
  readonly #noticed = new Map<number, number>()

  constructor(context: Context) {
    const { nodes } = context
    this.#context = context
    this.#tallies = new Uint16Array(nodes * STRIDE)
    this.#peaks = new Uint16Array(nodes * STRIDE)
    this.#verdictsOf = new Uint16Array(nodes)
    context.observer.listeners.push(this)
    context.sim.world.onLook = () => {
      if (context.sim.now >= this.#nextAt) this.#sample()
    }
  }

  onView(observer: number, subject: number, before: number, after: number): void {
    const at = subject * STRIDE
    if (before !== VIEW.unknown) this.#tallies[at + before]!--
    if (after === VIEW.unknown) return
    const tally = ++this.#tallies[at + after]!
    if (tally > this.#peaks[at + after]!) this.#peaks[at + after] = tally
    if (before !== VIEW.unknown) this.#verdict(observer, subject, after)
  }

  onNoticed(_observer: number, _subject: number, elapsedMs: number): void {
    const ms = Math.round(elapsedMs / CLASS_MS) * CLASS_MS
    this.#noticed.set(ms, (this.#noticed.get(ms) ?? 0) + 1)
  }

  /** What was recorded up to now. */
  recording(): Recording {
    this.#sample()
    const { sim, observer, measured } = this.#context
    const samples = this.#samples
    const rates = (total: (sample: Sample) => number): number[] =>
      samples.map((sample, i) => {
        const before = samples[i - 1]
        if (before === undefined) return 0
        const seconds = (sample.ranMs - before.ranMs) / 1000
        return seconds > 0 ? (total(sample) - total(before)) / seconds : 0
      })
    return {
      names: sim.world.hosts.map(({ name }) => name),
      atMs: samples.map(({ atMs }) => atMs),
      live: samples.map(({ live }) => live),
      agreement: samples.map(({ agreement }) => agreement),
      packets: rates(({ packets }) => packets),
      bytes: rates(({ bytes }) => bytes),
      streamBytes: rates(({ streamBytes }) => streamBytes),
      busiest: samples.map((sample, i) => busiest(samples[i - 1], sample)),
      views: samples.map(({ views }) => views),
      verdicts: this.#verdicts,
      verdictsDropped: this.#verdictsDropped,
      detection: { ...observer.detections(), eachMs: [...this.#noticed].sort(([a], [b]) => a - b) },
      convergenceMs: measured.convergenceMs ?? [],
    }
  }

  #verdict(observer: number, subject: number, view: number): void {
    const enough = this.#verdictsOf[subject]! >= MOST_VERDICTS_PER_SUBJECT
    if (enough || this.#verdicts.length >= MOST_VERDICTS) {
      this.#verdictsDropped++
      return
    }
    this.#verdictsOf[subject]!++
    this.#verdicts.push({ atMs: this.#context.sim.now, observer, subject, view })
  }

  #sample(): void {
    const { sim, observer, nodes } = this.#context
    if (sim.now === this.#samples.at(-1)?.atMs) return
    const sent = new Float64Array(nodes)
    let [packets, bytes, streamBytes] = [0, 0, 0]
    for (const { index, traffic } of sim.world.hosts) {
      packets += traffic.packetsSent
      bytes += traffic.bytesSent
      streamBytes += traffic.streamBytesSent
      sent[index] = traffic.bytesSent + traffic.streamBytesSent
    }
    this.#samples.push({
      atMs: sim.now,
      live: observer.running.size,
      agreement: this.#agreement(),
      packets,
      bytes,
      streamBytes,
      ranMs: totalRanMs(this.#context),
      sent,
      views: this.#views(nodes),
    })
    this.#peaks.set(this.#tallies)
    if (this.#samples.length >= MOST_SAMPLES) this.#halve()
    this.#nextAt = sim.now + this.#intervalMs
  }

  #agreement(): number {
    const { sim, observer } = this.#context
    const { running } = observer
    const known = sim.world.hosts.length
    if (running.size === 0 || known < 2) return 1
    let right = 0
    for (const { index } of sim.world.hosts) {
      const up = this.#tallies[index * STRIDE + VIEW.alive]! + this.#tallies[index * STRIDE + VIEW.suspect]!
      right += running.has(index) ? up : running.size - up
    }
    return right / (running.size * (known - 1))
  }

  #views(nodes: number): Uint16Array {
    const views = new Uint16Array(nodes * COLUMNS.length)
    for (let subject = 0; subject < nodes; subject++) {
      const from = subject * STRIDE
      const to = subject * COLUMNS.length
      views[to] = this.#tallies[from + VIEW.alive]!
      views[to + 1] = this.#peaks[from + VIEW.suspect]!
      views[to + 2] = this.#peaks[from + VIEW.failed]!
      views[to + 3] = this.#tallies[from + VIEW.left]!
    }
    return views
  }

  /** Of each two samples the later one is kept, with the peaks of both. */
  #halve(): void {
    const halved: Sample[] = []
    for (let i = 0; i < this.#samples.length; i += 2) {
      const earlier = this.#samples[i]!
      const later = this.#samples[i + 1]
      halved.push(later === undefined ? earlier : merged(earlier, later))
    }
    this.#samples = halved
    this.#intervalMs *= 2
  }
}

const STRIDE = Object.keys(VIEW).length

function merged(earlier: Sample, later: Sample): Sample {
  const views = later.views.slice()
  for (let at = 0; at < views.length; at += COLUMNS.length) {
    for (const column of [1, 2])
      views[at + column] = Math.max(views[at + column]!, earlier.views[at + column]!)
  }
  return { ...later, views }
}

function busiest(before: Sample | undefined, { atMs, sent }: Sample): number {
  if (before === undefined) return 0
  const most = sent.reduce((high, bytes, node) => Math.max(high, bytes - before.sent[node]!), 0)
  return (most * 1000) / (atMs - before.atMs)
}
