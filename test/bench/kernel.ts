import { cpus, loadavg, release } from 'node:os'
import { argv, exit, stderr, stdout, version } from 'node:process'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import {
  iproute2,
  KernelMonitor,
  LinuxOverlayKernel,
  type OverlayRow,
  Reconciler,
  VxlanDevice,
} from '../../src/agent/index.ts'
import { median } from './crowd.ts'

/**
 * What a reconciler needs to fill, to audit and to amend the tables of one VXLAN device on a real kernel, in a
 * network namespace of its own that is removed again. Usage: `npm run bench:kernel [-- ENDPOINTS [RUNS]]`, as
 * root on Linux.
 */
const DEFAULT_ENDPOINTS = 10_000
const DEFAULT_RUNS = 5
const CHANGES_PER_RUN = 20
const TIMEOUT_MS = 60_000
const VTEP = '10.77.0.2'

interface Figures {
  readonly fillMs: number
  readonly auditMs: number
  readonly changeMs: readonly number[]
}

const hex = (byte: number): string => (byte & 0xff).toString(16).padStart(2, '0')
const macOf = (n: number): string => `02:42:00:${hex(n >> 16)}:${hex(n >> 8)}:${hex(n)}`

function endpointRows(n: number, vtep: string, hasPort: boolean): OverlayRow[] {
  const mac = macOf(n)
  const rows: OverlayRow[] = [
    { table: 'fdb', mac, vtep },
    { table: 'neighbour', ip: `10.${128 + (n >> 16)}.${(n >> 8) & 0xff}.${n & 0xff}`, mac },
  ]
  return hasPort ? [...rows, { table: 'port', mac }] : rows
}

async function measure(endpoints: number, hasPort: boolean): Promise<Figures> {
  const lab = Lab.build(1)
  let stopListening = (): void => {}
  try {
    const host = lab.hosts[0] as LabHost
    const run = iproute2(host.namespace)
    const settings = { name: 'vx42', vni: 42, vtep: host.vtep, port: 4789, bridge: host.bridge }
    const kernel = new LinuxOverlayKernel(new VxlanDevice(settings, run), run)
    let desired = Array.from({ length: endpoints }, (_, n) => endpointRows(n + 1, VTEP, hasPort)).flat()

    // Heard all along, as in an agent that has run for a while: the first one to listen has missed something.
    await new Promise<void>((resolve) => {
      stopListening = KernelMonitor.of(run).listen({ onEvent: () => {}, onGap: resolve })
    })
    const settle = async (): Promise<number> => {
      const reconciler = new Reconciler({ kernel, desired: () => desired })
      const began = performance.now()
      reconciler.trigger()
      await reconciler.whenSettled({ signal: AbortSignal.timeout(TIMEOUT_MS) })
      const tookMs = performance.now() - began
      await reconciler.stop()
      return tookMs
    }
    const fillMs = await settle()
    const auditMs = await settle()

    const reconciler = new Reconciler({ kernel, desired: () => desired })
    reconciler.trigger()
    await reconciler.whenSettled({ signal: AbortSignal.timeout(TIMEOUT_MS) })
    const changeMs: number[] = []
    for (let change = 0; change < CHANGES_PER_RUN; change++) {
      const vtep = `10.77.1.${change + 1}`
      const isThere = new Promise<void>((resolve) => {
        const stop = KernelMonitor.of(run).listen({
          onEvent: ({ text }) => {
            if (!text.startsWith(`${vtep} `)) return
            stop()
            resolve()
          },
          onGap: () => {},
        })
      })
      const index = desired.findIndex((row) => row.table === 'fdb' && row.mac === macOf(change + 1))
      desired = desired.with(index, { table: 'fdb', mac: macOf(change + 1), vtep })
      const began = performance.now()
      reconciler.trigger()
      await isThere
      changeMs.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 37 * (change % 7)))
    }
    await reconciler.stop()
    return { fillMs, auditMs, changeMs }
  } finally {
    stopListening()
    lab.remove()
  }
}

function summary(times: readonly number[]): string {
  const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0)
  return `${ms(median(times))} ms (${ms(Math.min(...times))} to ${ms(Math.max(...times))})`
}

async function main(): Promise<void> {
  const [endpoints = DEFAULT_ENDPOINTS, runs = DEFAULT_RUNS] = argv.slice(2).map(Number)
  stdout.write(`Linux ${release()}, Node ${version}, ${cpus().length} x ${cpus()[0]?.model}\n`)
  for (const hasPort of [false, true]) {
    const figures: Figures[] = []
    for (let n = 0; n < runs; n++) {
      const load = loadavg()[0]?.toFixed(1)
      const figure = await measure(endpoints, hasPort)
      figures.push(figure)
      stderr.write(`run ${n + 1}: ${JSON.stringify(figure)} (load before: ${load})\n`)
    }
    const bridgeRows = hasPort ? ` + ${endpoints} bridge` : ''
    stdout.write(`\n${endpoints} FDB + ${endpoints} neighbour${bridgeRows} rows, median (least to most):\n`)
    stdout.write(`  from an empty kernel to verified   ${summary(figures.map(({ fillMs }) => fillMs))}\n`)
    stdout.write(`  audit that finds nothing to do     ${summary(figures.map(({ auditMs }) => auditMs))}\n`)
    stdout.write(
      `  one change, until it is there      ${summary(figures.flatMap(({ changeMs }) => changeMs))}\n`,
    )
  }
}

main().catch((error: unknown) => {
  stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  exit(1)
})
