import type { Distribution } from './measure.ts'
import type { Report } from './report-json.ts'

const LABEL_CELLS = 17
const CELLS = 11

/** The result of a run as a table for people, without a newline at its end. */
export function summary(report: Report): string {
  return [
    `${report.scenario}: ${report.nodes} nodes, seed ${report.seed}`,
    '',
    ...costs(report),
    '',
    line('', 'p50', 'p99', 'max'),
    times('first survivor', report.detection.firstMs),
    times('last survivor', report.detection.everyoneMs),
    times('each survivor', report.detection.pairsMs),
    times('convergence', report.convergence.everyoneMs),
    line('join', '', '', ms(report.join.everyoneMs)),
    '',
    ...verdicts(report),
  ].join('\n')
}

function costs(report: Report): string[] {
  const { traffic, trafficAfterCrash: after } = report
  const seconds = (value: number): string => (value / 1000).toFixed(1)
  return [
    row(
      'time',
      `${seconds(report.virtualMs)} virtual s in ${seconds(report.wallMs)} s, ${report.speedup.toFixed(1)}x`,
    ),
    row('memory', `${Math.round(report.peakRssMb)} MB at most`),
    row('trace', `${report.traceHash}, ${grouped(report.events)} events`),
    row(
      'traffic',
      traffic === null
        ? '-'
        : `${traffic.packetsPerNodePerSecond.toFixed(2)} packets, ${traffic.bytesPerNodePerSecond.toFixed(0)} B by packet, ` +
            `${traffic.streamBytesPerNodePerSecond.toFixed(0)} B by stream, each node each second`,
    ),
    ...(after === null
      ? []
      : [
          row(
            'after a crash',
            `${after.packetsPerNodePerSecond.toFixed(2)} packets, each node each second of ${seconds(after.windowMs)} s`,
          ),
        ]),
  ]
}

function verdicts({ detection, falsePositives, impaired, invariants, warnings }: Report): string[] {
  const warned = Object.entries(warnings).map(([code, count]) => `${count} ${code}`)
  return [
    row('crashes', String(detection.crashes)),
    row(
      'false positives',
      falsePositives === null
        ? '-'
        : `${falsePositives.healthy} healthy, ${falsePositives.anomalous} anomalous, ${falsePositives.suspicions} suspicions`,
    ),
    ...(impaired === null
      ? []
      : [
          row(
            'impaired',
            `${impaired.declaredFailed} of ${impaired.nodes} declared failed, out of view for ${percent(impaired.outOfView)} of the time`,
          ),
        ]),
    ...(warned.length > 0 ? [row('warnings', warned.join(', '))] : []),
    row('invariants', `${invariants.checked} checked, ${invariants.violations.length} violations`),
  ]
}

function times(label: string, found: Distribution | null): string {
  return found === null
    ? line(label, '-', '-', '-')
    : line(label, ms(found.p50), ms(found.p99), ms(found.max))
}

function ms(value: number | null): string {
  return value === null ? '-' : `${grouped(Math.round(value))} ms`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

function row(label: string, text: string): string {
  return `${label.padEnd(LABEL_CELLS)}${text}`
}

function line(label: string, ...cells: string[]): string {
  return row(label, cells.map((cell) => cell.padStart(CELLS)).join('')).trimEnd()
}
