import fc from 'fast-check'
import { desiredRows, type Winners } from '../../examples/overlay-agent/desired-state.ts'
import {
  type Address,
  addressCodec,
  type Station,
  stationCodec,
} from '../../examples/overlay-agent/tables.ts'
import { Simulation } from '../../sim/index.ts'
import { type OverlayRow, slotOf } from '../../src/agent/overlay-rows.ts'
import { Reconciler } from '../../src/agent/reconciler.ts'
import type { Table } from '../../src/index.ts'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { FaultyKernel, type KernelFaults } from './faulty-kernel.ts'

export type Step =
  /** A container starts on a host, and is nowhere else from then on. */
  | { readonly do: 'attach'; readonly host: number; readonly ip: number; readonly mac: number }
  | { readonly do: 'detach'; readonly ip: number }
  | { readonly do: 'crash' | 'kill' | 'start' | 'stall' | 'cut off' | 'lose device'; readonly host: number }
  | { readonly do: 'heal' }
  | { readonly do: 'break'; readonly host: number; readonly how: keyof KernelFaults }
  | { readonly do: 'delete row'; readonly host: number; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }

export interface Schedule {
  readonly seed: number
  readonly hosts: number
  readonly steps: readonly Step[]
}

const any = fc.nat(999)
const record = <K extends Step['do']>(what: K, fields: object): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constant(what), ...fields }) as unknown as fc.Arbitrary<Step>

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.nat(),
  hosts: fc.integer({ min: 2, max: 4 }),
  steps: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: record('attach', { host: any, ip: any, mac: any }) },
      { weight: 2, arbitrary: record('detach', { ip: any }) },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constantFrom('crash', 'kill', 'start', 'start', 'stall', 'cut off', 'lose device'),
          host: any,
        }) as fc.Arbitrary<Step>,
      },
      { weight: 1, arbitrary: record('heal', {}) },
      {
        weight: 2,
        arbitrary: record('break', {
          host: any,
          how: fc.constantFrom('failDumps', 'breakApplies', 'ignoreApplies', 'loseReports'),
        }),
      },
      { weight: 1, arbitrary: record('delete row', { host: any, pick: any }) },
      { weight: 4, arbitrary: record('wait', { ms: fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(15_000)) }) },
    ),
    { minLength: 5, maxLength: 25, size: 'max' },
  ),
})

const ADDRESSES = ['10.42.0.1', '10.42.0.2', '10.42.0.3', 'fd42::1']
const STATIONS = ['02:42:00:00:00:01', '02:42:00:00:00:02', '02:42:00:00:00:03']
/** Until everybody has found everybody, withdrawn what is gone, and looked at the kernel once more. */
const QUIET_MS = 60_000

interface Endpoint {
  readonly host: string
  readonly mac: string
}

interface Agent {
  readonly stations: Table<Station>
  readonly addresses: Table<Address>
  readonly reconciler: Reconciler<OverlayRow>
}

/** Whole clusters with an agent at each node, in virtual time. Resolves with the hosts whose kernel ends wrong. */
export async function endsWrong({ seed, hosts, steps }: Schedule): Promise<string[]> {
  const rack = new Rack(seed, hosts)
  for (const name of rack.names) await rack.start(name)
  for (const step of steps) await rack.take(step)
  return rack.wrong()
}

class Rack {
  readonly names: readonly string[]
  readonly #sim: Simulation
  readonly #kernels = new Map<string, FaultyKernel>()
  readonly #agents = new Map<string, Agent>()
  /** Which container runs where, by address: known to those who start them, whoever may be down. */
  readonly #endpoints = new Map<string, Endpoint>()

  constructor(seed: number, hosts: number) {
    this.#sim = new Simulation({ seed })
    this.names = Array.from({ length: hosts }, (_, index) => `h${index + 1}`)
    for (const name of this.names) {
      const schedule = (delayMs: number, run: () => void): void => {
        if (this.#runs(name)) this.#sim.runtime(name).setTimer(delayMs, run)
      }
      this.#kernels.set(name, new FaultyKernel({ schedule }, randomNumbers(seed)))
    }
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'wait') return this.#sim.advance(step.ms)
    if (step.do === 'heal') return this.#sim.heal()
    if (step.do === 'detach') return this.#detach(pick(ADDRESSES, step.ip))
    const name = pick(this.names, step.host)
    const kernel = this.#kernels.get(name)!
    switch (step.do) {
      case 'attach':
        return this.#attach(name, pick(ADDRESSES, step.ip), pick(STATIONS, step.mac))
      case 'start':
        return this.start(name)
      case 'crash':
      case 'kill':
        if (this.#runs(name)) this.#sim[step.do](name)
        this.#agents.delete(name)
        return
      case 'stall':
        if (this.#runs(name)) this.#sim.pause(name, 4_000)
        return
      case 'cut off':
        this.#sim.partition(
          [name],
          this.names.filter((other) => other !== name),
        )
        return
      case 'lose device':
        return kernel.loseDevice()
      case 'break':
        kernel.faults[step.how] += 2
        return
      case 'delete row': {
        const rows = kernel.tables.rows()
        if (rows.length > 0) kernel.tables.delete(pick(rows, step.pick))
      }
    }
  }

  async start(name: string): Promise<void> {
    if (this.#runs(name)) return
    const cluster = await this.#sim.start(name)
    const network = await this.#sim.settled(cluster.joinNetwork('blue'))
    const stations = network.table('stations', stationCodec)
    const addresses = network.table('addresses', addressCodec)
    const reconciler = new Reconciler({
      kernel: this.#kernels.get(name)!,
      desired: () => desiredRows(winners(stations), winners(addresses), { name, vtep: vtepOf(name) }),
      clock: this.#sim.runtime(name),
    })
    void follow(stations, reconciler)
    void follow(addresses, reconciler)
    this.#agents.set(name, { stations, addresses, reconciler })
    this.#declare(name)
  }

  /** Everybody comes back; of three or more one may stay away for good. One alone would be isolated and withdraw nothing. */
  async wrong(): Promise<string[]> {
    this.#sim.heal()
    for (const kernel of this.#kernels.values()) kernel.heal()
    const down = this.names.filter((name) => !this.#runs(name))
    for (const name of this.names.length > 2 ? down.slice(1) : down) await this.start(name)
    await this.#sim.advance(QUIET_MS)
    if (this.#sim.faults.length > 0) return [String(this.#sim.faults[0]!)]
    return [...this.#agents].flatMap(([name, { reconciler }]) => {
      const [is, should] = [text(this.#kernels.get(name)!.tables.rows()), text(this.#rightRows(name))]
      const { settled, lastError } = reconciler.status()
      const isRight = is === should && settled
      return isRight ? [] : [`${name}, settled ${settled}, ${lastError}\nis:     ${is}\nshould: ${should}`]
    })
  }

  #attach(host: string, ip: string, mac: string): void {
    for (const [other, endpoint] of this.#endpoints) {
      if (other === ip || (endpoint.mac === mac && endpoint.host !== host)) this.#detach(other)
    }
    this.#endpoints.set(ip, { host, mac })
    this.#declare(host)
  }

  #detach(ip: string): void {
    const endpoint = this.#endpoints.get(ip)
    this.#endpoints.delete(ip)
    if (endpoint !== undefined) this.#declare(endpoint.host)
  }

  #declare(name: string): void {
    const here = [...this.#endpoints].filter(([, { host }]) => host === name)
    const agent = this.#agents.get(name)
    agent?.stations.replaceOwn(here.map(([, { mac }]) => [mac, { vtep: vtepOf(name) }]))
    agent?.addresses.replaceOwn(here.map(([ip, { mac }]) => [ip, { mac }]))
  }

  #rightRows(name: string): OverlayRow[] {
    const rows = new Map<string, OverlayRow>()
    for (const [ip, { host, mac }] of this.#endpoints) {
      if (host === name || !this.#agents.has(host)) continue
      const found: OverlayRow[] = [
        { table: 'fdb', mac, vtep: vtepOf(host) },
        { table: 'port', mac },
        { table: 'neighbour', ip, mac },
      ]
      for (const row of found) rows.set(slotOf(row), row)
    }
    return [...rows.values()]
  }

  #runs(name: string): boolean {
    return this.#sim.nodes.includes(name)
  }
}

async function follow<V>(table: Table<V>, reconciler: Reconciler<OverlayRow>): Promise<void> {
  for await (const _ of table.watch()) reconciler.trigger()
}

function winners<V>(table: Table<V>): Winners<V> {
  return new Map(table.entries())
}

function vtepOf(name: string): string {
  return `10.77.0.${name.slice(1)}`
}

function text(rows: readonly OverlayRow[]): string {
  const lines = rows.map((row) => `${slotOf(row)} ${Object.values(row).slice(2).join(' ')}`)
  return lines.sort().join('; ')
}

function pick<T>(all: readonly T[], at: number): T {
  return all[at % all.length]!
}
