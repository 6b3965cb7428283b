import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sleep, until } from '../waiting.ts'
import { junkLike } from './attacks.ts'
import type { FloodOrder, FloodResult } from './flood-sender.ts'
import type { VictimReport } from './flood-victim.ts'
import { ProbeTimes } from './probe-times.ts'
import { Siege, TIMING } from './siege.ts'

/** Times in ms, ascending. */
export interface ProbesOf {
  /** Between two members other than the victim. */
  readonly others: readonly number[]
  /** From one of them to the victim. */
  readonly victim: readonly number[]
}

export interface FloodReport {
  readonly sent: number
  readonly sentPerSecond: number
  readonly forMs: number
  /** Packets that reached the victim's process; the kernel drops what its socket has no room for. */
  readonly received: number
  readonly dropped: Readonly<Record<string, number>>
  /** Share of one core that the victim's process took. */
  readonly cpu: { readonly before: number; readonly during: number }
  readonly probes: { readonly before: ProbesOf; readonly during: ProbesOf }
  /** Probes that took help, or failed, of the victim and of the others. */
  readonly helped: number
  readonly failed: number
  /** What members were told meanwhile: nothing, if all is well. */
  readonly told: readonly string[]
}

/**
 * A flood of junk at a member that runs in a process of its own, as does the sender; what that does to its processor time, and to the
 * probes between it and the others, and between the others.
 */
export async function flood(perSecond: number, forMs: number): Promise<FloodReport> {
  const siege = await Siege.begin(2)
  const victim = await Victim.begin(siege)
  const sender = run('flood-sender.ts')
  try {
    const [near, far] = [siege.nodes[0]!, siege.nodes[1]!]
    await until(() => [near, far].every(({ cluster }) => cluster.members().length === 3))
    await siege.settle()
    const times = await ProbeTimes.of(near, siege)
    const taken = (): ProbesOf => ({
      others: times.take(far.cluster.self.address),
      victim: times.take(victim.address),
    })
    const troubles = (report: VictimReport, name: string): number =>
      report.metrics[name]! + siege.nodes.reduce((sum, { cluster }) => sum + cluster.metrics()[name]!, 0)

    const quiet = await victim.report()
    taken()
    await sleep(forMs)
    const before = taken()
    siege.forgetTold()
    const calm = await victim.report()
    const junk = junkLike(near.tap.sentTo(victim.address).at(-1)!)
    const hex = junk.map((packet) => Buffer.from(packet).toString('hex'))
    sender.send({ to: victim.address, perSecond, forMs, junk: hex } satisfies FloodOrder)
    const [result] = (await once(sender, 'message')) as [FloodResult]
    const stormy = await victim.report()
    const during = taken()
    const grown = (name: string): number => stormy.metrics[name]! - calm.metrics[name]!
    const more = (name: string): number => troubles(stormy, name) - troubles(calm, name)
    const causes = Object.keys(stormy.metrics).filter(
      (name) => name.startsWith('dropped.') && grown(name) > 0,
    )
    return {
      sent: result.sent,
      sentPerSecond: (result.sent * 1_000) / result.tookMs,
      forMs: result.tookMs,
      received: causes.reduce((sum, name) => sum + grown(name), 0),
      dropped: Object.fromEntries(causes.map((name) => [name.slice('dropped.'.length), grown(name)])),
      cpu: { before: share(quiet, calm), during: share(calm, stormy) },
      probes: { before, during },
      helped: more('probe.indirect') + more('probe.stream'),
      failed: more('probe.failed'),
      told: siege.forgetTold(),
    }
  } finally {
    sender.kill()
    victim.kill()
    await siege.close()
  }
}

class Victim {
  readonly #process: ChildProcess
  readonly address: string

  static async begin(siege: Siege): Promise<Victim> {
    const process = run('flood-victim.ts')
    const seeds = siege.nodes.map(({ cluster }) => cluster.self.address)
    const keys = [Buffer.from(siege.key).toString('hex')]
    process.send({ name: 'victim', bind: '127.0.0.1:0', label: siege.label, keys, seeds, ...TIMING })
    const [{ address }] = (await once(process, 'message')) as [VictimReport]
    return new Victim(process, address)
  }

  private constructor(process: ChildProcess, address: string) {
    this.#process = process
    this.address = address
  }

  async report(): Promise<VictimReport> {
    this.#process.send({})
    const [report] = (await once(this.#process, 'message')) as [VictimReport]
    return report
  }

  kill(): void {
    this.#process.kill()
  }
}

function run(file: string): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), { execArgv: ['--import', 'tsx'] })
}

function share(from: VictimReport, to: VictimReport): number {
  return (to.cpuMs - from.cpuMs) / (to.atMs - from.atMs)
}
