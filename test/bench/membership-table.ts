import type { Measurement } from './membership-measures.ts'
import { argumentsOf, type Row } from './membership-rows.ts'

/** A row that was measured. */
export interface Measured {
  readonly row: Row
  readonly seeds: readonly number[]
  readonly measurement: Measurement
}

/** The table in Markdown, and below it the commands that give each row. */
export function tableOf(results: readonly Measured[]): string {
  return [
    '| work | memberlist | bar | measured | met |',
    '| --- | --- | --- | --- | --- |',
    ...results.map(({ row, measurement }) =>
      line([row.work, row.memberlist, row.bar, measurement.text, metText(measurement.met)]),
    ),
    '',
    ...results.flatMap(({ row, seeds }) => [
      `${row.id}, with SEED ${seeds.join(', ')}:`,
      '',
      ...commandsOf(row).map((command) => `    ${command}`),
      '',
    ]),
  ].join('\n')
}

/** The same for machines; `null` where there is no bar, and for times without end. */
export function jsonOf(results: readonly Measured[]): string {
  const rows = results.map(({ row, seeds, measurement }) => ({
    id: row.id,
    work: row.work,
    memberlist: row.memberlist,
    bar: row.bar,
    measured: measurement.text,
    met: measurement.met ?? null,
    values: measurement.values,
    seeds,
    commands: commandsOf(row),
  }))
  return `${JSON.stringify({ rows }, null, 2)}\n`
}

function commandsOf(row: Row): string[] {
  return row.runs.map((run) => `npm run sim -- ${argumentsOf(run, 'SEED').join(' ')}`)
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function metText(met: boolean | undefined): string {
  if (met === undefined) return '-'
  return met ? 'yes' : 'NO'
}
