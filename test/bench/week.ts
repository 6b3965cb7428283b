import { exit, memoryUsage, stderr, stdout, version } from 'node:process'
import { Simulation } from '../../sim/index.ts'
import type { Network } from '../../src/index.ts'

/**
 * A week of virtual time in which nodes crash and come back a thousand times, half of them under names that were never there before: memory,
 * members and queues must be after seven days what they were after two. Usage: `npm run bench:week`; it takes some minutes.
 */
const NODES = 12
const DAYS = 7
const RESTARTS_A_DAY = 143
const DAY_MS = 24 * 3_600_000
const DOWN_MS = 20_000
const NETWORK = 'blue'
/** After so many days, what is remembered for one day has been forgotten for the first time. */
const SETTLED_DAYS = 2
const TOLERANCE = 1.2
/** Sums below this many may vary as they like. */
const NOISE = 20
const GAUGES = [
  'members.known',
  'members.queue',
  'members.quarantined',
  'entries.queue',
  'entries.parkedNow',
  'entries.logs',
  'traffic.streamsOpen',
  'traffic.sessions',
] as const

/** What is held by all nodes together, and by the process, in kB. */
type Held = Readonly<Record<string, number>>

class Week {
  readonly #sim = new Simulation({ seed: 1 })
  readonly #running: string[] = []
  #names = 0
  #restarts = 0

  async run(): Promise<Held[]> {
    for (let i = 0; i < NODES; i++) await this.#start(this.#newName())
    const days: Held[] = []
    for (let day = 1; day <= DAYS; day++) {
      for (let i = 0; i < RESTARTS_A_DAY; i++) await this.#restart(DAY_MS / RESTARTS_A_DAY)
      days.push(this.#held())
      stderr.write(`day ${day}: ${this.#restarts} restarts so far\n`)
    }
    return days
  }

  get restarts(): number {
    return this.#restarts
  }

  #newName(): string {
    return `node-${++this.#names}`
  }

  async #start(name: string): Promise<void> {
    const cluster = await this.#sim.start(name)
    this.#running.push(name)
    const network: Network = await this.#sim.settled(cluster.joinNetwork(NETWORK))
    network.table<string>('endpoints').replaceOwn([[`10.0.0.${this.#running.length}`, name]])
  }

  /** One node crashes and comes back, every other time as somebody who was never there before. */
  async #restart(periodMs: number): Promise<void> {
    const name = this.#running.splice(this.#restarts++ % this.#running.length, 1)[0]!
    this.#sim.crash(name)
    await this.#sim.advance(DOWN_MS)
    await this.#start(this.#restarts % 2 === 0 ? name : this.#newName())
    await this.#sim.advance(periodMs - DOWN_MS)
  }

  #held(): Held {
    globalThis.gc?.()
    const held: Record<string, number> = { 'heap, kB': Math.round(memoryUsage().heapUsed / 1000) }
    for (const name of this.#running) {
      const metrics = this.#sim.cluster(name).metrics()
      for (const gauge of GAUGES) held[gauge] = (held[gauge] ?? 0) + (metrics[gauge] ?? 0)
    }
    return held
  }
}

async function main(): Promise<number> {
  if (globalThis.gc === undefined) {
    stderr.write('run it by `npm run bench:week`: it needs --expose-gc\n')
    return 2
  }
  const week = new Week()
  const days = await week.run()
  const before = days[SETTLED_DAYS - 1]!
  const after = days.at(-1)!
  stdout.write(`${NODES} nodes, ${week.restarts} restarts in ${DAYS} virtual days, Node ${version}\n\n`)
  stdout.write(
    `| held by all together | day 1 | day ${SETTLED_DAYS} | day ${DAYS} | |\n|---|---:|---:|---:|---|\n`,
  )
  let grown = 0
  for (const name of Object.keys(after)) {
    const grows = after[name]! > Math.max(before[name]! * TOLERANCE, NOISE)
    if (grows) grown++
    stdout.write(
      `| ${name} | ${days[0]![name]} | ${before[name]} | ${after[name]} | ${grows ? 'GROWS' : 'steady'} |\n`,
    )
  }
  return grown === 0 ? 0 : 1
}

exit(await main())
