import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CommandError, type Run } from '../../src/agent/node-commands.ts'
import { RefusedRowsError, readOutcome, runBatch } from '../../src/agent/refused-rows.ts'
import { HearsayError } from '../../src/errors.ts'

/** A tool that takes numbers, refuses some and goes on, and ends itself at others. */
function tool(refused: ReadonlySet<number>, deadly: ReadonlySet<number>) {
  const taken: number[] = []
  const counts = { processes: 0 }
  const run: Run = async (_tool, _args, input = '') => {
    counts.processes++
    let stderr = ''
    for (const [index, line] of input.trim().split('\n').entries()) {
      const number = Number(line)
      if (deadly.has(number)) throw new CommandError('ip', `${stderr}RTNETLINK answers: Deadly\n`, 'exit 2')
      if (refused.has(number)) stderr += `Error: Refused.\nCommand failed -:${index + 1}\n`
      else taken.push(number)
    }
    if (stderr !== '') throw new CommandError('ip', stderr, 'exit 1')
    return ''
  }
  return { run, taken, counts }
}

const linesOf = (count: number): string[] => Array.from({ length: count }, (_, number) => String(number))

describe('a batch', () => {
  it('is one process when nothing is wrong, and none when there is nothing to do', async () => {
    const { run, taken, counts } = tool(new Set(), new Set())
    expect(await runBatch(run, 'ip', linesOf(100))).toEqual([])
    expect(await runBatch(run, 'ip', [])).toEqual([])
    expect(taken).toHaveLength(100)
    expect(counts.processes).toBe(1)
  })

  it('runs every line that can be run, and names the others, though single ones end the tool', async () => {
    const numbers = fc.uniqueArray(fc.nat(199), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(numbers, numbers, async (refused, deadly) => {
        const { run, taken } = tool(new Set(refused), new Set(deadly))
        const failed = await runBatch(run, 'ip', linesOf(200))
        const bad = new Set([...refused, ...deadly])
        expect(new Set(failed.map(({ index }) => index))).toEqual(bad)
        expect(failed).toHaveLength(bad.size)
        for (const { index, words } of failed)
          expect(words).toBe(deadly.includes(index) ? 'Deadly' : 'Refused')
        expect(new Set(taken)).toEqual(
          new Set(
            linesOf(200)
              .map(Number)
              .filter((number) => !bad.has(number)),
          ),
        )
      }),
    )
  })

  it('gives up on lines of which so many end the tool, and names them all', async () => {
    const all = new Set(linesOf(1_000).map(Number))
    const { run, counts } = tool(new Set(), all)
    expect(await runBatch(run, 'ip', linesOf(1_000))).toHaveLength(1_000)
    expect(counts.processes).toBeLessThan(200)
  })

  it('has failed as a whole when the tool said nothing of any line', async () => {
    const run: Run = async () => {
      throw new CommandError('ip', '', new Error('spawn ip ENOENT'))
    }
    await expect(runBatch(run, 'ip', ['link show'])).rejects.toThrow('spawn ip ENOENT')
  })
})

describe('what a batch said', () => {
  it('names each failed line, with all that was wrong', () => {
    const stderr =
      'Error: Nexthop has invalid gateway.\nCommand failed -:2\nA\nRTNETLINK answers: B\nCommand failed -:7\n'
    expect(readOutcome(stderr)).toEqual({
      failed: [
        { index: 1, words: 'Nexthop has invalid gateway' },
        { index: 6, words: 'A; B' },
      ],
    })
  })

  it('ends with what ended the tool', () => {
    const stderr = 'A\nCommand failed -:1\nError: IPv6 is disabled on this device.\n'
    expect(readOutcome(stderr)).toEqual({
      failed: [{ index: 0, words: 'A' }],
      endedBy: 'IPv6 is disabled on this device',
    })
  })
})

describe('refused rows', () => {
  it('are told by one error with a stable code, which names the first and counts the others', () => {
    const refused = [1, 2, 3].map((row) => ({
      row,
      code: 'ERR_COMMAND_FAILED' as const,
      reason: `no ${row}`,
    }))
    const error = new RefusedRowsError(refused)
    expect(error).toBeInstanceOf(RefusedRowsError)
    expect(error).toBeInstanceOf(HearsayError)
    expect(error).not.toBeInstanceOf(CommandError)
    expect(error).toMatchObject({ code: 'ERR_ROWS_REFUSED', message: 'no 1 (and 2 more)', refused })
  })
})
