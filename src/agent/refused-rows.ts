import { type ErrorCode, HearsayError } from '../errors.ts'
import { CommandError, type Run } from './node-commands.ts'

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

/**
 * Runs all lines, whatever becomes of single ones, and tells which of them failed. Rejects if the tool itself
 * did.
 */
export async function runBatch(
  run: Run,
  tool: 'ip' | 'bridge',
  lines: readonly string[],
): Promise<FailedLine[]> {
  if (lines.length === 0) return []
  try {
    await run(tool, ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
    return []
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const failed = failedLines(error.stderr)
    if (failed.length === 0) throw error
    return failed
  }
}

/** The failed lines in what a batch wrote to stderr: for each what was wrong, then "Command failed -:LINE". */
export function failedLines(stderr: string): FailedLine[] {
  const failed: FailedLine[] = []
  let words: string[] = []
  for (const line of stderr.split('\n')) {
    const [, number] = /^Command failed .*:(\d+)$/.exec(line) ?? []
    if (number === undefined) {
      if (line !== '') words.push(line.replace(/^(Error|RTNETLINK answers): /, ''))
      continue
    }
    failed.push({ index: Number(number) - 1, words: words.join('; ').replace(/\.$/, '') })
    words = []
  }
  return failed
}
