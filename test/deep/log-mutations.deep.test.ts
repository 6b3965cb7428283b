import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Mutant, type Mutation } from './mutant.ts'

/** A rule of the logs, broken in a file of `src/network-state`. */
interface Mistake extends Mutation {
  readonly mistake: string
}

const ROOM = 'src/network-state'

const MUTATIONS: readonly Mistake[] = [
  {
    mistake: 'a delete that comes before its set leaves no tombstone',
    file: 'owner-log.ts',
    from: '      this.#tombs.set(key, item)\n',
    to: '',
  },
  {
    mistake: 'an operation overwrites a later one of its key',
    file: 'owner-log.ts',
    from: 'if (present !== undefined && present.seq >= seq) return undefined',
    to: '',
  },
  {
    mistake: 'a set leaves the tombstone that it overtakes',
    file: 'owner-log.ts',
    from: '      this.#tombs?.delete(key)\n      return live',
    to: '      return live',
  },
  {
    mistake: 'what is known already is put in once more',
    file: 'owner-log.ts',
    from: "if (this.knows(item.seq)) return 'duplicate'",
    to: '',
  },
  {
    mistake: 'tombstones stay below the line',
    file: 'owner-log.ts',
    from: 'if (this.#lowestTomb > this.#contiguous) return',
    to: 'return',
  },
  {
    mistake: 'a full transfer removes what its sender could not know',
    file: 'owner-log.ts',
    from: 'if (seq > line || alive.has(seq)) continue',
    to: 'if (alive.has(seq)) continue',
  },
  {
    mistake: 'a full transfer removes nothing',
    file: 'owner-log.ts',
    from: 'if (alive !== undefined && contiguous > this.#contiguous) this.#sweep(contiguous, alive, changed)',
    to: '',
  },
  {
    mistake: 'the floor of the delete log stays where it was after a full transfer',
    file: 'owner-log.ts',
    from: '    this.#floor = line + 1\n',
    to: '',
  },
  {
    mistake: 'a commit forgets the ranges of the receiver',
    file: 'owner-log.ts',
    from: 'const joined = this.#ranges.copy()',
    to: 'const joined = Ranges.none()',
  },
  {
    mistake: 'an entry of the previous epoch is shown beside that of the new one',
    file: 'owner-log.ts',
    from: 'this.#shadow?.delete(key) ?? false',
    to: 'false',
  },
  {
    mistake: 'a line reached by numbers that an event supersedes leaves its tombstones',
    file: 'owner-log.ts',
    from: '    if (!learned) return false\n    this.#dropHash()\n    this.#bury()\n',
    to: '    if (!learned) return false\n    this.#dropHash()\n',
  },
  {
    mistake: 'numbers that an event supersedes count from the line on',
    file: 'owner-log.ts',
    from: 'const lo = Math.max(pairs[i]!, this.#contiguous + 1)',
    to: 'const lo = this.#contiguous + 1',
  },
  {
    mistake: 'tombstones are not sent',
    file: 'log-transfer.ts',
    from: '  for (const item of log.tombs.values()) collect(item)\n',
    to: '',
  },
  {
    mistake: 'the delete log is trusted one number further back than it reaches',
    file: 'log-transfer.ts',
    from: 'log.floor <= from + 1',
    to: 'log.floor <= from + 2',
  },
  {
    mistake: 'remembered deletes are not sent',
    file: 'log-transfer.ts',
    from: '!log.live.has(item.key) && !log.tombs.has(item.key)',
    to: 'false',
  },
  {
    mistake: 'a stream is received by whatever log stands there at its first frame',
    file: 'log-transfer.ts',
    from: 'described !== undefined && sameEpoch(described.id, header.id)',
    to: 'false',
  },
  {
    mistake: 'the next epoch takes nothing over from the one before',
    file: 'log-set.ts',
    from: '      shadow: before,\n',
    to: '',
  },
  {
    mistake: 'a lower epoch takes the place of a higher one',
    file: 'log-set.ts',
    from: 'return order > 0 ? this.open(owner, id, base) : undefined',
    to: 'return this.open(owner, id, base)',
  },
  {
    mistake: 'the line jumps over a gap of one number',
    file: 'ranges.ts',
    from: 'while (next < pairs.length && pairs[next]! <= reached + 1) {',
    to: 'while (next < pairs.length && pairs[next]! <= reached + 2) {',
  },
  {
    mistake: 'ranges swallow the gap between them',
    file: 'ranges.ts',
    from: 'while (next < pairs.length && pairs[next]! <= hi + 1) next += 2',
    to: 'while (next < pairs.length && pairs[next]! <= hi + 2) next += 2',
  },
]

/** Small worlds, the quick ones first; prints the first rule that is broken in any. */
const MAIN = `
import { explore } from './test/network-state/small-world.js'
const limits = { dels: 0 }
// Streams are carried to their end even where the code should take no more of them.
const fault = { open: (logs, intake, header) => intake.open(header) }
const worlds = [
  { ops: 2, keys: 2, bumps: 1, limits },
  { ops: 3, keys: 2, limits },
  { ops: 3, keys: 2, superseding: true, limits },
  { ops: 4, keys: 2, limits: { dels: 1 } },
  { ops: 4, keys: 2, superseding: true, limits },
  { ops: 3, keys: 2, streams: 1, forget: true, limits, fault },
]
for (const world of worlds) {
  let rule
  try {
    rule = explore(world).violation?.rule
  } catch (error) {
    rule = String(error)
  }
  if (rule === undefined) continue
  console.log('BROKEN: ' + rule)
  break
}
`

describe('the small worlds notice when', () => {
  let mutant: Mutant

  beforeAll(() => {
    mutant = new Mutant([ROOM, 'src/wire', 'src/dissemination', 'test/network-state'], MAIN)
  })

  afterAll(() => mutant.remove())

  async function explored(): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['main.js'], { cwd: mutant.folder })
    return stdout
  }

  it('nothing is broken, and say so', async () => {
    expect(await explored()).toBe('')
  }, 150_000)

  it.each(MUTATIONS)(
    '$mistake',
    async (mistake) => {
      await mutant.broken({ ...mistake, file: `${ROOM}/${mistake.file}` }, async () => {
        expect(await explored()).toContain('BROKEN')
      })
    },
    150_000,
  )
})
