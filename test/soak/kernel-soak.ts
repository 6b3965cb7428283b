import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { LabContainer, LabHost } from '../../examples/lab/lab.ts'
import { DEVICE, OverlayPlayground } from '../../examples/lab/overlay-playground.ts'
import { reach } from '../../examples/lab/reach.ts'
import { Random } from '../../sim/random.ts'
import { actualRows, expectedRows, rowsApart } from './kernel-rows.ts'
import { after, drawSchedule, type Model, type Step, startOf, told } from './schedule.ts'

const run = promisify(execFile)

/** So many schedules are played on one lab, each from where the last one ended. */
const SCHEDULES_OF_A_LAB = 20
const CONTAINERS_OF_A_HOST = 2
const MIN_STEPS = 6
const MAX_STEPS = 18
const SETTLE_TIMEOUT_MS = 60_000
const LOOK_AGAIN_MS = 50
const PING_TIMEOUT_MS = 3_000
const SILENCE_MS = 300
const MAX_RELAPSES = 5
const PINGS_AT_ONCE = 12

const STRANGER = '02:00:00:00:00:99'

export interface Outcome {
  readonly schedule: number
  readonly hosts: number
  readonly underlay: 'ipv4' | 'ipv6'
  readonly steps: readonly Step[]
  /** From the moment when everything was whole again until all kernels were right. */
  readonly settledMs: number
  readonly pings: number
  /** How often it looked right, and was not when it was tried: suspicions of before may be confirmed after healing. */
  readonly relapses: number
  /** What was wrong in the end. */
  readonly faults: readonly string[]
}

/**
 * Plays the schedules `from` to `from + count - 1` of a seed against real kernels and real agents, and yields how each
 * one ended. What a schedule does, and where it begins, depends on the seed and its number alone, so that each can be
 * replayed by itself.
 */
export async function* soak(seed: number, from: number, count: number): AsyncGenerator<Outcome> {
  let schedule = from
  while (schedule < from + count) {
    const era = Math.floor(schedule / SCHEDULES_OF_A_LAB)
    const end = Math.min(from + count, (era + 1) * SCHEDULES_OF_A_LAB)
    const hostCount = 3 + (era % 3)
    const underlay = era % 2 === 0 ? 'ipv4' : 'ipv6'
    const playground = await OverlayPlayground.up(hostCount, {
      underlay,
      containers: CONTAINERS_OF_A_HOST,
      // With and without a time in which an agent that restarts is not missed.
      agentOptions: ['--audit-ms', '2000', '--withdraw-after-ms', era % 4 < 2 ? '0' : '1500'],
    })
    try {
      let model = firstModel(playground)
      for (let past = era * SCHEDULES_OF_A_LAB; past < schedule; past++) {
        model = stepsOf(seed, past, model).reduce(after, model)
      }
      await place(playground, model)
      for (; schedule < end; schedule++) {
        const steps = stepsOf(seed, schedule, model)
        model = steps.reduce(after, model)
        const stage = new Stage(playground)
        yield { schedule, hosts: hostCount, underlay, steps, ...(await stage.play(steps, model)) }
      }
    } finally {
      playground.remove()
    }
  }
}

function stepsOf(seed: number, schedule: number, model: Model): Step[] {
  const random = new Random(seed).fork(`schedule ${schedule}`)
  return drawSchedule(model, MIN_STEPS + random.int(MAX_STEPS - MIN_STEPS + 1), random)
}

function firstModel({ lab }: OverlayPlayground): Model {
  const placed = new Map(lab.containers.map(({ name, host }) => [name, host.name]))
  return startOf(
    lab.hosts.map(({ name }) => name),
    placed,
  )
}

/** Brings the containers to where a schedule begins. */
async function place(playground: OverlayPlayground, { containers }: Model): Promise<void> {
  const { lab } = playground
  for (const [name, { host, isAttached }] of containers) {
    await playground.move(lab.container(name), lab.host(host))
    if (!isAttached) await playground.detach(lab.container(name))
  }
}

type Played = Pick<Outcome, 'settledMs' | 'pings' | 'relapses' | 'faults'>

/** One schedule, carried out and judged. */
class Stage {
  readonly #playground: OverlayPlayground

  constructor(playground: OverlayPlayground) {
    this.#playground = playground
  }

  async play(steps: readonly Step[], model: Model): Promise<Played> {
    for (const [index, step] of steps.entries()) {
      try {
        await this.#do(step)
      } catch (error) {
        const reason = `step ${index + 1} (${told(step)}) was refused: ${(error as Error).message}`
        return { settledMs: 0, pings: 0, relapses: 0, faults: [reason] }
      }
    }
    const startedAt = performance.now()
    for (let relapses = 0; ; relapses++) {
      let faults = await this.#settle(model)
      const settledMs = performance.now() - startedAt
      if (faults.length > 0) return { settledMs, pings: 0, relapses, faults }
      const { pings, faults: unreached } = await this.#ping(model)
      faults = [...unreached, ...(await this.#rowsApart(model))]
      if (faults.length === 0 || relapses === MAX_RELAPSES) return { settledMs, pings, relapses, faults }
    }
  }

  async #do(step: Step): Promise<void> {
    const playground = this.#playground
    const { lab } = playground
    switch (step.do) {
      case 'attach':
      case 'detach':
        return playground[step.do](lab.container(step.container))
      case 'move':
        return playground.move(lab.container(step.container), lab.host(step.host))
      case 'kill':
      case 'start':
        return playground[step.do](lab.host(step.host))
      case 'unplug':
      case 'plug':
        return lab.plug(lab.host(step.host), step.do === 'plug')
      case 'partition':
        return lab.partition(step.group.map((name) => lab.host(name)))
      case 'cut':
        return lab.cut(lab.host(step.from), lab.host(step.to))
      case 'heal':
        return lab.heal()
      case 'tamper':
        return tamper(step, lab.host(step.host), lab.container(step.container), lab.host(step.other))
      case 'wait':
        return sleep(step.ms)
    }
  }

  /** Waits until every kernel is as the model says; resolves with what still is not after `SETTLE_TIMEOUT_MS`. */
  async #settle(model: Model): Promise<string[]> {
    const giveUpAt = performance.now() + SETTLE_TIMEOUT_MS
    for (;;) {
      const faults = await this.#rowsApart(model)
      if (faults.length === 0 || performance.now() > giveUpAt) return faults
      await sleep(LOOK_AGAIN_MS)
    }
  }

  async #rowsApart(model: Model): Promise<string[]> {
    const attached = this.#containers(model, true)
    const perHost = this.#playground.lab.hosts.map(async (host) => {
      const apart = rowsApart(expectedRows(host, attached), await actualRows(host, DEVICE))
      return apart.map((row) => `${host.name}: ${row}`)
    })
    return (await Promise.all(perHost)).flat()
  }

  /** Between hosts everybody who is attached reaches everybody who is, by IPv4 and IPv6 in turn, and nobody else. */
  async #ping(model: Model): Promise<Pick<Played, 'pings' | 'faults'>> {
    const attached = this.#containers(model, true)
    const pairs = attached.flatMap((source) =>
      [...attached, ...this.#containers(model, false)]
        .filter((target) => target.host !== source.host)
        .map((target) => ({ source, target })),
    )
    const faults: string[] = []
    const pings = pairs.map(({ source, target }, index) => async (): Promise<void> => {
      const isWanted = attached.includes(target)
      const ip = target.ips[index % target.ips.length] ?? target.ip
      const answer = await reach(source.namespace, ip, isWanted ? PING_TIMEOUT_MS : SILENCE_MS)
      if ((answer !== undefined) !== isWanted) {
        faults.push(`${source.name} ${isWanted ? 'does not reach' : 'still reaches'} ${target.name} (${ip})`)
      }
    })
    const workers = Array.from({ length: PINGS_AT_ONCE }, async () => {
      for (let next = pings.pop(); next !== undefined; next = pings.pop()) await next()
    })
    await Promise.all(workers)
    return { pings: pairs.length, faults }
  }

  #containers({ containers }: Model, isAttached: boolean): LabContainer[] {
    const names = [...containers].filter(([, place]) => place.isAttached === isAttached)
    return names.map(([name]) => this.#playground.lab.container(name))
  }
}

/** Refusals are no matter: the row or the device may not be there. */
async function tamper(
  { how }: Extract<Step, { do: 'tamper' }>,
  { namespace }: LabHost,
  { mac, ip }: LabContainer,
  { vtep }: LabHost,
): Promise<void> {
  const commands = {
    'fdb-falsified': `bridge fdb replace ${mac} dev ${DEVICE} dst ${vtep} self permanent`,
    'fdb-deleted': `bridge fdb del ${mac} dev ${DEVICE} self`,
    'fdb-invented': `bridge fdb replace ${STRANGER} dev ${DEVICE} dst ${vtep} self static`,
    'neighbour-falsified': `ip neigh replace ${ip} lladdr ${STRANGER} dev ${DEVICE} nud permanent`,
    'neighbour-deleted': `ip neigh del ${ip} dev ${DEVICE}`,
    'neighbour-invented': `ip neigh replace 10.42.200.200 lladdr ${STRANGER} dev ${DEVICE} nud permanent`,
    'port-deleted': `bridge fdb del ${mac} dev ${DEVICE} master`,
    'device-down': `ip link set dev ${DEVICE} down`,
    'device-deleted': `ip link del dev ${DEVICE}`,
  } as const
  const [tool = '', ...args] = commands[how].split(' ')
  await run(tool, ['-netns', namespace, ...args]).catch(() => {})
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
