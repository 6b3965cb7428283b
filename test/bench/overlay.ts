import { setTimeout as sleep } from 'node:timers/promises'
import { type LabContainer, type LabHost, missingForLab } from '../../examples/lab/lab.ts'
import { DEVICE, NETWORK, OverlayPlayground } from '../../examples/lab/overlay-playground.ts'
import { actualRows } from '../soak/kernel-rows.ts'
import { Pings } from '../traffic.ts'
import { KernelWatch } from './kernel-watch.ts'

/**
 * Overlay agents, each a process of its own, on real kernels in network namespaces. Usage: `npm run bench:overlay`; names
 * of rows as arguments choose among them. Some five minutes, most of them waiting.
 */
const HOSTS = 5
const CHANGES = 120
const RESTARTS = 10
const MOVES = 30
const ENDPOINTS_FOR_1000_ROWS = 334
const CALM_MS = 400
const TIMEOUT_MS = 60_000

const ROWS = { propagation, restart, move }

/** From the moment when an agent is asked, until the last of the other hosts has every row as it should be. */
async function propagation(): Promise<void> {
  const playground = await OverlayPlayground.up(HOSTS)
  const { hosts } = playground.lab
  const watches = new Map(hosts.map((host) => [host, new KernelWatch(host, DEVICE)]))
  await sleep(2_000)

  const measure = async (
    home: LabHost,
    others: readonly LabHost[],
    isSo: (watch: KernelWatch) => boolean,
    ask: () => Promise<unknown>,
  ): Promise<number> => {
    await sleep(CALM_MS + Math.random() * 200)
    const watched = others.filter((host) => host !== home).map((host) => watches.get(host) as KernelWatch)
    return new Promise((resolve, reject) => {
      const startedAt = performance.now()
      const timer = setTimeout(() => reject(new Error('a change did not arrive')), TIMEOUT_MS)
      for (const watch of watched) {
        watch.onChange = () => {
          if (!watched.every(isSo)) return
          clearTimeout(timer)
          for (const each of watched) each.onChange = () => {}
          resolve(performance.now() - startedAt)
        }
      }
      ask().catch(reject)
    })
  }

  const [attached, moved, detached]: number[][] = [[], [], []]
  for (let change = 0; change < CHANGES; change++) {
    const [home, next] = [hosts[change % HOSTS], hosts[(change + 1) % HOSTS]] as [LabHost, LabHost]
    const mac = `02:00:00:01:00:${change.toString(16).padStart(2, '0')}`
    const ip = `10.42.100.${change + 1}`
    const leadsTo =
      (host: LabHost) =>
      (watch: KernelWatch): boolean => {
        const rows = watch.rows(mac, ip)
        return rows.vtep === host.vtep && rows.isOnBridge && rows.mac === mac
      }
    const isGone = (watch: KernelWatch): boolean => {
      const rows = watch.rows(mac, ip)
      return rows.vtep === undefined && !rows.isOnBridge && rows.mac === undefined
    }
    const clientOf = (host: LabHost) => playground.client(host)
    attached?.push(await measure(home, hosts, leadsTo(home), () => clientOf(home).attach(NETWORK, mac, [ip])))
    moved?.push(await measure(next, hosts, leadsTo(next), () => clientOf(next).attach(NETWORK, mac, [ip])))
    await clientOf(home).detach(NETWORK, mac)
    detached?.push(await measure(next, hosts, isGone, () => clientOf(next).detach(NETWORK, mac)))
  }
  for (const watch of watches.values()) watch.stop()
  playground.remove()
  report('an endpoint attached is in the kernels of the other four', attached ?? [])
  report('an endpoint moved is in the kernels of the other four', moved ?? [])
  report('an endpoint detached is out of the kernels of the other four', detached ?? [])
}

/** Pings every 10 ms in both directions while one of the two agents restarts, with 1,000 rows in its kernel. */
async function restart(): Promise<void> {
  const playground = await OverlayPlayground.up(3)
  const [h1, h2] = playground.lab.hosts as [LabHost, LabHost, LabHost]
  const [c1, c2] = playground.lab.containers as [LabContainer, LabContainer, LabContainer]
  for (let index = 0; index < ENDPOINTS_FOR_1000_ROWS; index++) {
    const [high, low] = [1 + (index >> 8), index & 0xff]
    const mac = `02:00:00:02:0${high}:${low.toString(16).padStart(2, '0')}`
    await playground.client(h2).attach(NETWORK, mac, [`10.42.${110 + high}.${low}`])
  }
  await until(async () => (await actualRows(h1, DEVICE)).length >= 3 * ENDPOINTS_FOR_1000_ROWS)
  const rows = (await actualRows(h1, DEVICE)).length
  for (const [name, end] of [
    ['SIGKILL', (host: LabHost) => playground.kill(host)],
    ['SIGTERM', (host: LabHost) => playground.stop(host)],
  ] as const) {
    for (const host of [h1, h2]) {
      let lost = 0
      let answered = 0
      const away: number[] = []
      for (let round = 0; round < RESTARTS; round++) {
        const pings = [new Pings(c1, c2.ip), new Pings(c2, c1.ip)]
        await sleep(500)
        const startedAt = performance.now()
        await end(host)
        await playground.start(host)
        away.push(performance.now() - startedAt)
        await sleep(2_000)
        for (const result of await Promise.all(pings.map((each) => each.stop()))) {
          lost += result.lost
          answered += result.answered
        }
      }
      const who = host === h1 ? `whose kernel has ${rows} rows` : 'that owns them'
      console.log(
        `${RESTARTS} restarts by ${name} of the agent ${who}: ${lost} pings of ${lost + answered} lost`,
      )
      report('  until it was ready again', away)
    }
  }
  playground.remove()
}

/** A container that is pinged every 10 ms moves between two hosts. */
async function move(): Promise<void> {
  const playground = await OverlayPlayground.up(3)
  const [h1, h2] = playground.lab.hosts as [LabHost, LabHost, LabHost]
  const [c1, , c3] = playground.lab.containers as [LabContainer, LabContainer, LabContainer]
  const gaps: number[] = []
  for (let round = 0; round < MOVES; round++) {
    const pings = new Pings(c3, c1.ip)
    await sleep(1_000)
    await playground.move(c1, round % 2 === 0 ? h2 : h1)
    await sleep(1_500)
    gaps.push((await pings.stop()).longestGapMs)
  }
  playground.remove()
  report('longest time without an answer while a container moves, its cable included', gaps)
}

function report(what: string, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0)
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms, of ${sorted.length}`)
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + TIMEOUT_MS
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error('it never came true')
    await sleep(100)
  }
}

async function main(): Promise<void> {
  const missing = missingForLab()
  if (missing !== undefined) throw new Error(`no lab on this machine: it ${missing}`)
  const names = process.argv.slice(2)
  for (const [name, measure] of Object.entries(ROWS)) {
    if (names.length === 0 || names.includes(name)) await measure()
  }
}

// Leaving through process.exit runs the exit handlers, and those remove every lab.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
