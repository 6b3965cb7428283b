import { cpus } from 'node:os'
import { argv, exit, stderr, stdout, version } from 'node:process'
import { parseArgs } from 'node:util'
import { median } from './crowd.ts'
import { figureOf, runNetworkDb } from './networkdb.ts'
import { type Quantity, ROWS, type Row } from './state-rows.ts'

/**
 * Network state over real loopback sockets, sealed, all nodes in this process and on its one thread:
 *
 *     npm run bench:state [-- burst-10 single …] [--times N] [--networkdb PATH]
 *
 * Names of rows choose among them. With the path of a benchmark program of NetworkDB that takes in turn with ours, run by run, and the
 * ratio of the medians is printed. It exits with 1 if a bar is missed.
 */
interface Figures {
  readonly ours: number[]
  readonly theirs: number[]
}

async function measure(row: Row, times: number, networkdb: string | undefined): Promise<Figures[]> {
  const figures = row.quantities.map((): Figures => ({ ours: [], theirs: [] }))
  for (let run = 1; run <= times; run++) {
    const values = await row.measure()
    for (const [i, { ours }] of figures.entries()) ours.push(values[i]!)
    stderr.write(`${row.id} ${run}: ${values.map(text).join(', ')}\n`)
    if (networkdb === undefined || row.networkdb === undefined) continue
    const result = await runNetworkDb(networkdb, row.networkdb)
    for (const [i, { networkdb: name }] of row.quantities.entries()) {
      if (name !== undefined) figures[i]!.theirs.push(figureOf(result, name))
    }
    stderr.write(`${row.id} ${run}, NetworkDB: ${figures.map(({ theirs }) => theirs.at(-1)).join(', ')}\n`)
  }
  return figures
}

function lineOf(row: Row, { what, unit, bar }: Quantity, { ours, theirs }: Figures): string {
  const met = bar === undefined ? '' : isMet(bar, ours) ? 'met' : 'MISSED'
  const spread = `${text(Math.min(...ours))} – ${text(Math.max(...ours))}`
  const cells = [row.work, `${what}, ${unit}`, bar ?? '', text(median(ours)), spread, ours.length]
  if (theirs.length === 0) return line([...cells, '', '', met])
  const theirSpread = `${text(median(theirs))} (${text(Math.min(...theirs))} – ${text(Math.max(...theirs))})`
  return line([...cells, theirSpread, `1 : ${text(median(theirs) / median(ours))}`, met])
}

function isMet(bar: number | undefined, values: readonly number[]): boolean {
  return bar === undefined || median(values) <= bar
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |\n`
}

/** Three digits that count. */
function text(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'never'
}

function rowsOf(names: readonly string[]): readonly Row[] {
  const unknown = names.filter((name) => !ROWS.some(({ id }) => id === name))
  if (unknown.length > 0) {
    throw new Error(`no row is named ${unknown.join(', ')}; there are ${ROWS.map(({ id }) => id).join(', ')}`)
  }
  return names.length === 0 ? ROWS : ROWS.filter(({ id }) => names.includes(id))
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv.slice(2),
    allowPositionals: true,
    options: { times: { type: 'string' }, networkdb: { type: 'string' } },
  })
  const rows = rowsOf(positionals)
  stdout.write(`${cpus().length} cores, Node ${version}; sealed where not said otherwise\n\n`)
  stdout.write(line(['work', 'measure', 'bar', 'median', 'spread', 'runs', 'NetworkDB', 'ratio', '']))
  stdout.write(`|---|---|${'---:|'.repeat(6)}---|\n`)
  let missed = 0
  for (const row of rows) {
    const figures = await measure(row, Number(values.times ?? row.times), values.networkdb)
    for (const [i, quantity] of row.quantities.entries()) {
      stdout.write(lineOf(row, quantity, figures[i]!))
      if (!isMet(quantity.bar, figures[i]!.ours)) missed++
    }
  }
  return missed === 0 ? 0 : 1
}

// Whatever a failed row left open must not keep this from ending.
exit(await main())
