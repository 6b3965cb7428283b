import { cpus } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { exit, stdout, version } from 'node:process'
import { Crowd, inTime, joinAll, median, nodeName, startAll } from './crowd.ts'
import { LoopbackStage, type Stage, VirtualStage } from './stages.ts'

/**
 * Holds the simulator and reality together: the same stories are told to nodes in virtual time and to nodes on real loopback sockets,
 * by the same code, and their times are to agree. Usage: `npm run calibrate`; it takes about three minutes and fails if they do not.
 *
 * They agree if the medians differ by a factor of two at most, or by half a second. A detection takes two of the probe's phases, each
 * drawn anew by every run, and the median of a handful of them moves by a quarter of itself; the real nodes share one thread besides,
 * while the virtual ones have a processor each. An error of a model that matters, such as a round trip or a timer too many,
 * makes a factor of two of the one or a multiple of a second of the other.
 */
const FACTOR = 2
const FLOOR_MS = 500

const SIZES = [10, 50] as const
const DETECTION_TIMEOUT_MS = 60_000
const CALM_MS = 3_000
const QUIET_MS = 10_000
const CRASHES = 5

/** What a story measured, by name; several values of each, if it can. */
type Measured = Map<string, number[]>

/** One node after another; then nothing happens. */
async function steady(stage: Stage, nodes: number, measured: Measured): Promise<void> {
  const crowd = new Crowd(stage)
  note(measured, 'join, ms', await startAll(stage, crowd, nodes))
  await stage.sleep(CALM_MS)
  const before = crowd.packetsSent()
  const suspicions = crowd.suspicions
  const began = stage.now()
  await stage.sleep(QUIET_MS)
  const seconds = (stage.now() - began) / 1000
  note(measured, 'packets a node a second', (crowd.packetsSent() - before) / nodes / seconds)
  note(measured, 'suspicions', crowd.suspicions - suspicions)
}

/** Processes die one after another. */
async function crash(stage: Stage, nodes: number, measured: Measured): Promise<void> {
  const crowd = new Crowd(stage)
  await startAll(stage, crowd, nodes)
  for (let i = 0; i < CRASHES; i++) {
    // Crashes fall anywhere in a probe interval.
    await stage.sleep(CALM_MS + ((i * 370) % 1000))
    const victim = nodeName(nodes - 1 - i)
    const survivors = nodes - 1 - i
    const crashed = stage.now()
    crowd.kill(victim)
    const noticed = (): number[] => crowd.failuresOf(victim)
    await inTime(
      stage.until(() => noticed().length === survivors, DETECTION_TIMEOUT_MS),
      'a crash noticed by everyone',
    )
    note(measured, 'first survivor, ms', Math.min(...noticed()) - crashed)
    note(measured, 'last survivor, ms', Math.max(...noticed()) - crashed)
  }
}

/** Everyone at once, through one seed. */
async function joinStorm(stage: Stage, nodes: number, measured: Measured): Promise<void> {
  note(measured, 'join, ms', await joinAll(stage, new Crowd(stage), nodes))
}

function note(measured: Measured, name: string, value: number): void {
  const values = measured.get(name) ?? []
  values.push(value)
  measured.set(name, values)
}

interface Story {
  readonly name: string
  readonly tell: (stage: Stage, nodes: number, measured: Measured) => Promise<void>
  /** How often it is told in the real world; in the virtual one it is told more often, since that costs little. */
  readonly times: number
}

const STORIES: readonly Story[] = [
  { name: 'steady', tell: steady, times: 3 },
  { name: 'crash', tell: crash, times: 1 },
  { name: 'join-storm', tell: joinStorm, times: 5 },
]
const VIRTUAL_TIMES = 5

async function told(story: Story, nodes: number, stages: readonly Stage[]): Promise<Measured> {
  const measured: Measured = new Map()
  for (const stage of stages) {
    try {
      await story.tell(stage, nodes, measured)
    } finally {
      await stage.close()
    }
  }
  return measured
}

/** Times agree within the tolerance; rates within the factor; counts are shown only. */
function agrees(name: string, virtual: number, real: number): boolean {
  if (name === 'suspicions') return true
  const within = Math.max(virtual, real) <= FACTOR * Math.min(virtual, real)
  return within || (name.endsWith(', ms') && Math.abs(virtual - real) <= FLOOR_MS)
}

function shown(values: readonly number[]): string {
  const digits = Math.max(...values) < 100 ? 1 : 0
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits))
  return `${median(values).toFixed(digits)} (${low} to ${high})`
}

async function main(): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let disagreements = 0
  stdout.write(`${cpus().length} cores, Node ${version}; median (lowest to highest)\n\n`)
  stdout.write('| scenario | nodes | | simulated | real | |\n|---|---:|---|---:|---:|---|\n')
  for (const nodes of SIZES) {
    for (const story of STORIES) {
      const virtual = await told(
        story,
        nodes,
        Array.from({ length: VIRTUAL_TIMES }, (_, i) => new VirtualStage(i + 1)),
      )
      delay.enable()
      const real = await told(
        story,
        nodes,
        Array.from({ length: story.times }, () => new LoopbackStage()),
      )
      delay.disable()
      for (const [name, values] of virtual) {
        const measured = real.get(name)!
        const good = agrees(name, median(values), median(measured))
        if (!good) disagreements++
        const verdict = good ? 'agree' : 'DISAGREE'
        stdout.write(
          `| ${story.name} | ${nodes} | ${name} | ${shown(values)} | ${shown(measured)} | ${verdict} |\n`,
        )
      }
    }
  }
  const [p50, p99] = [50, 99].map((share) => (delay.percentile(share) / 1e6).toFixed(1))
  stdout.write(`\nevent loop of the real nodes: delay p50 ${p50} ms, p99 ${p99} ms\n`)
  if (disagreements === 0) return 0
  stdout.write(`${disagreements} rows disagree by more than a factor of ${FACTOR} and ${FLOOR_MS} ms\n`)
  return 1
}

// Whatever a failed story left open must not keep this from ending.
exit(await main())
