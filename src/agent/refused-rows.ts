import { type ErrorCode, HearsayError } from '../errors.ts'
import { CommandError, type Run, type Tool } from './node-commands.ts'

/** A row that the kernel did not take, or did not give up. */
export interface RefusedRow<Row> {
  readonly row: Row
  readonly code: ErrorCode
  /** A sentence about this row. */
  readonly reason: string
}

/** `ERR_ROWS_REFUSED`: some rows were refused; all others of the same batch were applied. */
export class RefusedRowsError<Row> extends HearsayError {
  readonly refused: readonly RefusedRow<Row>[]

  constructor(refused: readonly RefusedRow<Row>[], cause?: unknown) {
    const [first] = refused
    const others = refused.length > 1 ? ` (and ${refused.length - 1} more)` : ''
    super('ERR_ROWS_REFUSED', `${first?.reason}${others}`, { cause })
    this.refused = refused
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return HearsayError[Symbol.hasInstance](value) && (value as HearsayError).code === 'ERR_ROWS_REFUSED'
  }
}

/** A line of a batch that failed: its index, and what the tool said. */
export interface FailedLine {
  readonly index: number
  readonly words: string
}

/** How many processes one batch may take, when lines keep ending the tool. */
const MOST_PROCESSES = 64

/**
 * Runs all lines, whatever becomes of single ones, and tells which of them failed. Rejects if the tool itself
 * did.
 *
 * With `-force` one bad line does not keep the others from being run; but the tool ends at once when the kernel
 * refuses a neighbour, and does not say where it was. Then each half is run by itself, and so on. The lines must
 * bear being run twice and in any order.
 */
export async function runBatch(run: Run, tool: Tool, lines: readonly string[]): Promise<FailedLine[]> {
  const failed: FailedLine[] = []
  const parts = lines.length > 0 ? [{ from: 0, until: lines.length }] : []
  let processes = 0
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const { from, until } = part
    const outcome = await runPart(run, tool, lines.slice(from, until))
    const isUnclear = outcome.endedBy !== undefined && until - from > 1
    if (isUnclear && ++processes < MOST_PROCESSES) {
      const middle = (from + until) >> 1
      parts.push({ from, until: middle }, { from: middle, until })
      continue
    }
    for (const { index, words } of outcome.failed) failed.push({ index: from + index, words })
    if (outcome.endedBy === undefined) continue
    const known = new Set(outcome.failed.map(({ index }) => index))
    for (let index = 0; index < until - from; index++) {
      if (!known.has(index)) failed.push({ index: from + index, words: outcome.endedBy })
    }
  }
  return failed
}

interface Outcome {
  readonly failed: readonly FailedLine[]
  /** What the tool said when a line ended it, before the rest had been run. */
  readonly endedBy?: string
}

async function runPart(run: Run, tool: Tool, lines: readonly string[]): Promise<Outcome> {
  try {
    await run(tool, ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
    return { failed: [] }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const outcome = readOutcome(error.stderr)
    if (outcome.failed.length === 0 && outcome.endedBy === undefined) throw error
    return outcome
  }
}

/** What a batch wrote to stderr: for each failed line what was wrong, then "Command failed -:LINE". */
export function readOutcome(stderr: string): Outcome {
  const failed: FailedLine[] = []
  let words: string[] = []
  const sentence = (): string => words.join('; ').replace(/\.$/, '')
  for (const line of stderr.split('\n')) {
    const [, number] = /^Command failed .*:(\d+)$/.exec(line) ?? []
    if (number === undefined) {
      if (line !== '') words.push(line.replace(/^(Error|RTNETLINK answers): /, ''))
      continue
    }
    failed.push({ index: Number(number) - 1, words: sentence() })
    words = []
  }
  return words.length === 0 ? { failed } : { failed, endedBy: sentence() }
}
