import { type ErrorCode, HearsayError } from '../errors.ts'
import type { Changes, Kernel } from './kernel.ts'
import { KernelMonitor } from './kernel-monitor.ts'
import { isIpv6, parseDevice, parseIp, parsePrefix } from './node-addresses.ts'
import { CommandError, type Run } from './node-commands.ts'
import { type RefusedRow, RefusedRowsError, runBatch } from './refused-rows.ts'
import { type RouteRow, routeRules } from './route-rows.ts'

export interface RouteKernelOptions {
  /**
   * The routing protocol number that marks a route as ours, 5 to 255. Default 116, which no known daemon uses:
   * see /etc/iproute2/rt_protos. Two agents on one host need two numbers.
   */
  readonly protocol?: number
  /**
   * The metric of our routes, 1 to 4294967294. Default 116. A route of somebody else to the same destination
   * with another metric is no obstacle; with the same metric ours is refused, theirs is left alone.
   */
  readonly metric?: number
  /** The routing table, 1 to 4294967295. Default 254, the main table. */
  readonly table?: number
}

const DEFAULT_PROTOCOL = 116
const DEFAULT_METRIC = 116
const MAIN_TABLE = 254

/**
 * The routes of one agent, IPv4 and IPv6, through iproute2. Ours are those with our protocol number in our
 * table, and none else is ever replaced or removed.
 */
export class LinuxRouteKernel implements Kernel<RouteRow> {
  readonly slotOf: (row: RouteRow) => string = routeRules.slotOf
  readonly same: (a: RouteRow, b: RouteRow) => boolean = routeRules.same
  readonly protocol: number
  readonly metric: number
  readonly table: number
  readonly #run: Run
  /** Slots that we hold, for all that we know: what may be replaced. */
  readonly #held = new Set<string>()
  /** Where they lead. */
  readonly #devices = new Set<string>()

  /** Throws `ERR_OPTION_INVALID` for a number out of its bounds. */
  constructor(options: RouteKernelOptions, run: Run) {
    this.protocol = bounded('protocol', options.protocol ?? DEFAULT_PROTOCOL, 5, 255)
    this.metric = bounded('metric', options.metric ?? DEFAULT_METRIC, 1, 0xffff_fffe)
    this.table = bounded('table', options.table ?? MAIN_TABLE, 1, 0xffff_ffff)
    this.#run = run
  }

  async dump(): Promise<RouteRow[]> {
    const dumps = await Promise.all([this.#show('-4'), this.#show('-6')])
    const rows = dumps.flat()
    this.#held.clear()
    for (const row of rows) {
      this.#held.add(this.slotOf(row))
      if (row.device !== undefined) this.#devices.add(row.device)
    }
    return rows
  }

  /** Rejects with a `RefusedRowsError` that names each row that failed; the others are in place then. */
  async apply({ put, remove }: Changes<RouteRow>): Promise<void> {
    const refused: RefusedRow<RouteRow>[] = []
    const lines: string[] = []
    const steps: { readonly row: RouteRow; readonly verb: 'put' | 'remove' }[] = []
    const add = (row: RouteRow, verb: 'put' | 'remove'): void => {
      const line = verb === 'put' ? this.#putLine(row) : this.#removeLine(row)
      if (line === undefined) {
        refused.push({ row, code: 'ERR_ADDRESS_INVALID', reason: `not a route: ${JSON.stringify(row)}` })
        return
      }
      lines.push(line)
      steps.push({ row, verb })
    }
    // Removals first: a second route in a slot may be what the first one is to become.
    for (const row of remove) add(row, 'remove')
    for (const row of put) add(row, 'put')
    const failed = new Map((await runBatch(this.#run, 'ip', lines)).map(({ index, words }) => [index, words]))
    for (const [index, { row, verb }] of steps.entries()) {
      const words = failed.get(index)
      const isGone = verb === 'remove' && (words === undefined || words.includes('No such process'))
      if (isGone) this.#held.delete(this.slotOf(row))
      else if (words === undefined) this.#held.add(this.slotOf(row))
      else refused.push({ row, ...this.#diagnosis(row, words) })
    }
    if (refused.length > 0) throw new RefusedRowsError(refused)
  }

  async remove(): Promise<void> {
    await this.apply({ put: [], remove: await this.dump() })
  }

  watch(onDrift: () => void): () => void {
    const ours = ` proto ${this.protocol} `
    return KernelMonitor.of(this.#run).listen({
      onEvent: ({ kind, device, text }) => {
        // With a link or an address routes vanish untold; with another address a gateway may be a neighbour.
        const isOurs =
          kind === 'route' ? text.includes(ours) : kind === 'address' || this.#devices.has(device)
        if (isOurs && kind !== 'neighbour') onDrift()
      },
      onGap: onDrift,
    })
  }

  async #show(family: '-4' | '-6'): Promise<readonly RouteRow[]> {
    const which = ['proto', String(this.protocol), 'table', String(this.table)]
    try {
      const dump = await this.#run('ip', [family, '-json', 'route', 'show', ...which])
      return parseRoutes(JSON.parse(dump), this.metric)
    } catch (error) {
      // A table exists once it has a route.
      if (error instanceof CommandError && error.stderr.includes('table does not exist')) return []
      throw error
    }
  }

  #putLine(row: RouteRow): string | undefined {
    const { destination, via, device } = canonical(row) ?? {}
    if (destination === undefined || isIpv6(destination) !== isIpv6(via ?? '')) return undefined
    // `replace` takes a slot whoever holds it, so it is for our own only.
    const verb = this.#held.has(this.slotOf(row)) ? 'replace' : 'add'
    const dev = device === undefined ? '' : ` dev ${device}`
    return `route ${verb} ${destination} via ${via}${dev} ${this.#marks(this.metric)}`
  }

  #removeLine(row: RouteRow): string | undefined {
    // Comes from a dump, so it may be one that we would never put: a default route, several gateways.
    if (!/^[0-9a-f.:]+\/\d{1,3}$/.test(row.destination)) return undefined
    const via = parseIp(row.via)
    const gateway = via === undefined ? '' : ` via ${via}`
    return `route del ${row.destination}${gateway} ${this.#marks(row.metric ?? this.metric)}`
  }

  #marks(metric: number): string {
    return `proto ${this.protocol} metric ${metric} table ${this.table}`
  }

  #diagnosis({ destination, via }: RouteRow, words: string): { code: ErrorCode; reason: string } {
    const route = `the route to ${destination} via ${via}`
    if (/invalid gateway|No route to host|Network is unreachable/.test(words)) {
      const reason = `${route} is refused: no link of this host leads to ${via} directly (${words})`
      return { code: 'ERR_GATEWAY_NOT_ON_LINK', reason }
    }
    if (words.includes('File exists')) {
      const reason = `${route} is refused: somebody else has one to there with metric ${this.metric}`
      return { code: 'ERR_ROUTE_FOREIGN', reason }
    }
    return { code: 'ERR_COMMAND_FAILED', reason: `${route} is refused: ${words}` }
  }
}

function bounded(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  const message = `${name} must be an integer from ${least} to ${most}, not ${value}`
  throw new HearsayError('ERR_OPTION_INVALID', message)
}

/** The row in letters fit for a command line, or undefined. */
function canonical(row: RouteRow): { destination: string; via: string; device?: string } | undefined {
  const destination = parsePrefix(row.destination)
  const via = parseIp(row.via)
  if (destination === undefined || via === undefined) return undefined
  if (row.device === undefined) return { destination, via }
  const device = parseDevice(row.device)
  return device === undefined ? undefined : { destination, via, device }
}

type Fields = Readonly<Record<string, unknown>>

/** What a link or its driver says of a route in passing, and we never wrote. */
const PASSING_FLAGS = ['dead', 'linkdown', 'offload', 'offload_failed', 'rt_offload', 'trap', 'rt_trap']

/**
 * The rows in the output of `ip -json route show proto N table T`. One without a single gateway has `via` ''
 * and is odd.
 */
export function parseRoutes(dump: readonly Fields[], ourMetric: number): RouteRow[] {
  const copies = new Map<string, number>()
  return dump.map(({ dst, gateway, dev, metric = 0, flags, pref: _, ...others }) => {
    const destination = asPrefix(String(dst), typeof gateway === 'string' && isIpv6(gateway))
    const marks = ((flags ?? []) as string[]).filter((flag) => !PASSING_FLAGS.includes(flag))
    const oddities = Object.entries(others).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    const oddity = [...oddities, ...marks].join(' ')
    const slot = `${destination} ${metric}`
    const copy = (copies.get(slot) ?? 0) + 1
    copies.set(slot, copy)
    return {
      destination,
      via: typeof gateway === 'string' ? gateway : '',
      ...(typeof dev === 'string' && { device: dev }),
      ...(oddity !== '' && { oddity }),
      ...(metric !== ourMetric && { metric: Number(metric) }),
      ...(copy > 1 && { copy }),
    }
  })
}

/** The kernel prints neither the length of a single address nor that of a default route. */
function asPrefix(dst: string, hasIpv6Gateway: boolean): string {
  if (dst === 'default') return hasIpv6Gateway ? '::/0' : '0.0.0.0/0'
  if (dst.includes('/')) return dst
  return isIpv6(dst) ? `${dst}/128` : `${dst}/32`
}
