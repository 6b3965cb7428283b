import { desiredRows, type Winners } from '../../examples/overlay-agent/desired-state.ts'
import { type OverlayRow, slotOf } from '../../src/agent/overlay-rows.ts'
import { Reconciler } from '../../src/agent/reconciler.ts'
import { type EntryEvent, entryKey } from '../../src/wire/entry-event.ts'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { ReplicaNode, sync } from '../network-state/replica-node.ts'
import { EdgeDriver } from './edge-driver.ts'
import { FaultyKernel } from './faulty-kernel.ts'
import type { Interleaving, Step } from './interleaving-steps.ts'
import { VirtualTime } from './virtual-time.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ADDRESSES = ['10.42.0.1', '10.42.0.2', '10.42.0.3', 'fd42::1', 'fd42::2']
const STATIONS = ['02:42:00:00:00:01', '02:42:00:00:00:02', '02:42:00:00:00:03']
/** After so much quiet everything is right: an audit, and the longest pause of a row that did not take. */
const QUIET_MS = 22_000

interface Host {
  readonly name: string
  readonly vtep: string
  readonly kernel: FaultyKernel
  readonly edges: EdgeDriver
  /** The containers that are here: what this host claims, or will once its process is back. */
  readonly attached: Map<string, string>
  process: Process | undefined
}

interface Process {
  readonly node: ReplicaNode
  readonly reconciler: Reconciler<OverlayRow>
}

interface News {
  readonly to: Host
  readonly events: readonly EntryEvent[]
}

interface Claim {
  readonly owner: string
  readonly value: string
  readonly stamp: number
}

export interface Outcome {
  /** Hosts whose kernel does not hold what it should. */
  readonly wrong: readonly string[]
  /** The same of the edge-triggered driver. */
  readonly wrongByEdges: readonly string[]
  /** Whether two hosts go on claiming the same in the end. */
  readonly contested: boolean
  readonly passes: number
  readonly failed: number
  readonly tampered: number
}

/** Lets everything befall a few hosts, then heals it all, waits, and looks. */
export async function run({ seed, hosts, steps, returning }: Interleaving): Promise<Outcome> {
  const world = new World(seed, hosts)
  for (const step of steps) await world.take(step)
  await world.heal(returning)
  return world.outcome()
}

class World {
  readonly #time = new VirtualTime()
  readonly #random: () => number
  readonly #hosts: Host[]
  /** What is under way. */
  readonly #news: News[] = []
  /** What each owner claims and with which stamp: by owner, then key of the network state. */
  readonly #claims = new Map<string, Map<string, Claim>>()

  constructor(seed: number, hosts: number) {
    this.#random = randomNumbers(seed)
    this.#hosts = Array.from({ length: hosts }, (_, index) => {
      const name = `h${index + 1}`
      const kernel = new FaultyKernel(this.#time, this.#random)
      const vtep = `10.77.0.${index + 1}`
      return { name, vtep, kernel, edges: new EdgeDriver(name), attached: new Map(), process: undefined }
    })
    for (const host of this.#hosts) this.#boot(host)
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'attach':
        return this.#attach(this.#host(step.host), pick(ADDRESSES, step.ip), pick(STATIONS, step.mac))
      case 'detach':
        return this.#detach(this.#host(step.host), pick(ADDRESSES, step.ip))
      case 'move':
        return this.#move(pick(ADDRESSES, step.ip), this.#host(step.to), step.mac, step.claimFirst)
      case 'fail':
      case 'return':
        return this.#judge(this.#host(step.host), this.#host(step.owner), step.do === 'fail')
      case 'crash':
        return this.#crash(this.#host(step.host))
      case 'restart':
        await this.#time.pass(1)
        return this.#restart(this.#host(step.host), this.#host(step.asks))
      case 'deliver':
        for (let i = 0; i < step.count; i++) this.#deliver(step.pick + i * 7)
        return
      case 'drop':
        for (let i = 0; i < step.count; i++) this.#takeNews(step.pick + i * 7)
        return
      case 'sync':
        return this.#sync(this.#host(step.host), this.#host(step.other))
      case 'break':
        this.#host(step.host).kernel.faults[step.how] += step.times
        return
      case 'lose device':
        return this.#host(step.host).kernel.loseDevice()
      case 'tamper':
        return this.#tamper(this.#host(step.host), step.how, step.pick)
      case 'learn':
        return this.#host(step.host).kernel.tables.learn(oddRow(step.pick))
      case 'wait':
        return this.#time.pass(step.ms)
    }
  }

  /** All faults end; who is down comes back or is failed for all others. What was lost is brought by syncs. */
  async heal(returning: number): Promise<void> {
    await this.#time.pass(1)
    for (const [index, host] of this.#hosts.entries()) {
      host.kernel.heal()
      if (((returning >> index) & 1) === 1) this.#restart(host, this.#hosts[0]!)
    }
    for (const host of this.#hosts) {
      for (const owner of this.#hosts) this.#judge(host, owner, owner.process === undefined)
    }
    while (this.#news.length > 0) this.#deliver(this.#random())
    for (let round = 0; round < 2; round++) {
      for (const host of this.#hosts) for (const other of this.#hosts) this.#sync(host, other)
    }
    await this.#time.pass(QUIET_MS)
  }

  outcome(): Outcome {
    const running = this.#hosts.filter(({ process }) => process !== undefined)
    const statuses = running.map(({ process }) => process!.reconciler.status())
    const wrong = running.filter((host) => {
      const rows = text(host.kernel.tables.rows())
      return rows !== text(this.#rightRows(host)) || !host.process!.reconciler.settled
    })
    const wrongByEdges = running.filter(
      (host) => text(host.edges.tables.rows()) !== text(this.#rightRows(host)),
    )
    const claimed = running.flatMap(({ name }) => [...(this.#claims.get(name)?.keys() ?? [])])
    return {
      wrong: wrong.map((host) => this.#report(host)),
      wrongByEdges: wrongByEdges.map(({ name }) => name),
      contested: new Set(claimed).size < claimed.length,
      passes: sum(statuses.map(({ passes }) => passes)),
      failed: sum(statuses.map(({ failed }) => failed)),
      tampered: sum(statuses.map(({ tampered }) => tampered)),
    }
  }

  // Endpoints

  #attach(host: Host, ip: string, mac: string): void {
    host.attached.set(ip, mac)
    this.#declare(host)
  }

  #detach(host: Host, ip: string): void {
    if (host.attached.delete(ip)) this.#declare(host)
  }

  #move(ip: string, to: Host, mac: number, claimFirst: boolean): void {
    const from = this.#hosts.find((host) => host !== to && host.attached.has(ip))
    const station = from?.attached.get(ip) ?? pick(STATIONS, mac)
    if (claimFirst) this.#attach(to, ip, station)
    if (from !== undefined) this.#detach(from, ip)
    if (!claimFirst) this.#attach(to, ip, station)
  }

  /** Brings what a host claims to what is attached there, as `replaceOwn` does. */
  #declare({ name, vtep, attached, process }: Host): void {
    if (process === undefined) return
    const wanted = new Map<string, string>()
    for (const [ip, mac] of attached) {
      wanted.set(entryKey('stations', mac), vtep)
      wanted.set(entryKey('addresses', ip), mac)
    }
    const claims = this.#claims.get(name)!
    for (const key of [...claims.keys()]) if (!wanted.has(key)) this.#write(process.node, key, undefined)
    for (const [key, value] of wanted) {
      if (claims.get(key)?.value !== value) this.#write(process.node, key, value)
    }
  }

  #write(node: ReplicaNode, key: string, value: string | undefined): void {
    const claims = this.#claims.get(node.name)!
    node.replica.write(key, value === undefined ? undefined : encoder.encode(value))
    if (value === undefined) claims.delete(key)
    else claims.set(key, { owner: node.name, value, stamp: node.replica.ownEntry(key)!.stamp })
    this.#send(node)
  }

  // News

  #send(node: ReplicaNode): void {
    const events = node.takeNews()
    if (events.length === 0) return
    for (const to of this.#hosts) if (to.name !== node.name) this.#news.push({ to, events })
  }

  #takeNews(at: number): News | undefined {
    if (this.#news.length === 0) return undefined
    const index = at % this.#news.length
    const news = this.#news[index]
    this.#news[index] = this.#news.at(-1)!
    this.#news.pop()
    return news
  }

  #deliver(at: number): void {
    const news = this.#takeNews(at)
    const node = news?.to.process?.node
    if (news === undefined || node === undefined) return
    node.hear(news.events)
    if (this.#random() % 4 === 0) node.hear(news.events)
    // What others would be told is left to the syncs.
    node.takeNews()
  }

  #sync(host: Host, other: Host): void {
    if (host === other || host.process === undefined || other.process === undefined) return
    sync(host.process.node, other.process.node)
  }

  // Hosts

  #judge(host: Host, owner: Host, failed: boolean): void {
    if (host === owner || host.process === undefined) return
    const { node } = host.process
    if (failed) node.failed.add(owner.name)
    else node.failed.delete(owner.name)
    node.replica.ownerChanged(owner.name)
  }

  #boot(host: Host): ReplicaNode {
    const node = new ReplicaNode(host.name, this.#time)
    for (const { name } of this.#hosts ?? []) if (name !== host.name) node.participants.add(name)
    this.#claims.set(host.name, new Map())
    const reconciler = new Reconciler({
      kernel: host.kernel,
      desired: () => {
        const viewpoint = { name: host.name, vtep: host.vtep }
        const stations = winners(node, 'stations', (vtep) => ({ vtep }))
        const addresses = winners(node, 'addresses', (mac) => ({ mac }))
        return desiredRows(stations, addresses, viewpoint)
      },
      clock: this.#time.clock(this.#random()),
    })
    for (const table of ['stations', 'addresses']) {
      // A watch tells a little later, and some of what it tells is lost: only audits make up for that.
      node.replica.view.watch(table, () => {
        if (this.#random() % 10 > 0) this.#time.schedule(0, () => reconciler.trigger())
      })
    }
    host.edges.follow(node.replica)
    host.process = { node, reconciler }
    reconciler.trigger()
    return node
  }

  #crash(host: Host): void {
    if (host.process === undefined) return
    void host.process.reconciler.stop()
    host.process.node.replica.close()
    host.process = undefined
  }

  #restart(host: Host, asks: Host): void {
    if (host.process !== undefined) return
    this.#boot(host)
    this.#sync(host, asks)
    this.#declare(host)
  }

  #tamper({ kernel: { tables } }: Host, how: 'falsify' | 'delete' | 'add', at: number): void {
    const rows = tables.rows()
    if (how === 'add') tables.replace(oddRow(at))
    if (how === 'add' || rows.length === 0) return
    const row = pick(rows, at)
    if (how === 'delete') tables.delete(row)
    else if (row.table === 'fdb') tables.replace({ ...row, vtep: '10.66.6.6' })
    else if (row.table === 'neighbour') tables.replace({ ...row, mac: '02:66:66:66:66:66' })
  }

  // What is right

  /** Not by the code that is tested: from what each owner that runs claims, the latest claim first. */
  #rightRows(host: Host): OverlayRow[] {
    const latest = new Map<string, Claim>()
    for (const { name, process } of this.#hosts) {
      if (process === undefined) continue
      for (const [key, claim] of this.#claims.get(name)!) {
        const rival = latest.get(key)
        const wins =
          rival === undefined ||
          claim.stamp > rival.stamp ||
          (claim.stamp === rival.stamp && claim.owner > rival.owner)
        if (wins) latest.set(key, claim)
      }
    }
    const isElsewhere = (mac: string): boolean => {
      const station = latest.get(entryKey('stations', mac))
      return station !== undefined && station.owner !== host.name
    }
    const rows: OverlayRow[] = []
    for (const mac of STATIONS.filter(isElsewhere)) {
      const vtep = latest.get(entryKey('stations', mac))!.value
      rows.push({ table: 'fdb', mac, vtep }, { table: 'port', mac })
    }
    for (const ip of ADDRESSES) {
      const mac = latest.get(entryKey('addresses', ip))?.value
      if (mac !== undefined && isElsewhere(mac)) rows.push({ table: 'neighbour', ip, mac })
    }
    return rows
  }

  #report(host: Host): string {
    const { settled, lastError } = host.process!.reconciler.status()
    return [
      `${host.name}, ${settled ? 'settled' : 'not settled'}, ${lastError}`,
      `is:     ${text(host.kernel.tables.rows())}`,
      `should: ${text(this.#rightRows(host))}`,
    ].join('\n')
  }

  #host(at: number): Host {
    return pick(this.#hosts, at)
  }
}

function winners<V>(node: ReplicaNode, table: string, decode: (value: string) => V): Winners<V> {
  const { view } = node.replica
  const all = new Map<string, { value: V; owner: string }>()
  for (const key of view.keys(table)) {
    const claim = view.winner(key)
    if (claim === undefined) continue
    const value = decode(decoder.decode(claim.item.value))
    all.set(key.slice(table.length + 1), { value, owner: claim.owner })
  }
  return all
}

/** Rows that nobody wants, or wants otherwise. */
function oddRow(at: number): OverlayRow {
  const mac = pick([...STATIONS, '02:42:00:00:00:09'], at)
  if (at % 3 === 0) return { table: 'neighbour', ip: pick([...ADDRESSES, '10.42.0.9'], at), mac }
  return at % 3 === 1 ? { table: 'fdb', mac, vtep: '10.66.6.6' } : { table: 'port', mac }
}

function text(rows: readonly OverlayRow[]): string {
  const lines = rows.map((row) => `${slotOf(row)} ${Object.values(row).slice(2).join(' ')}`)
  return lines.sort().join('; ')
}

function pick<T>(all: readonly T[], at: number): T {
  return all[at % all.length]!
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
