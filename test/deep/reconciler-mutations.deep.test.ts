import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Mutant, type Mutation } from './mutant.ts'

/** A rule of the reconciler, broken. */
interface BrokenRule extends Mutation {
  readonly rule: string
}

const RUNS = 500
/** Exits with 1 at the first interleaving that ends wrong. */
const MAIN = `
  import fc from 'fast-check'
  import { interleaving } from './test/agent/interleaving-steps.js'
  import { run } from './test/agent/interleaving-world.js'
  for (const drawn of fc.sample(interleaving, { numRuns: ${RUNS}, seed: 11 })) {
    if ((await run(drawn)).wrong.length > 0) process.exit(1)
  }`

const MUTATIONS: readonly BrokenRule[] = [
  {
    rule: 'neither success nor belief is trusted: the kernel is looked at again',
    file: 'src/agent/reconciler.ts',
    from: 'return Math.max(this.#lookAt, this.#looking.freeAt)',
    to: 'return this.#believed.known ? Infinity : Math.max(this.#lookAt, this.#looking.freeAt)',
  },
  {
    rule: 'what nobody reports is found by audits',
    file: 'src/agent/reconciler.ts',
    from: 'this.#lookAt = startedAt + lessUpToAQuarter(auditIntervalMs, drawChance(clock))',
    to: 'this.#lookAt = Infinity',
  },
  {
    rule: 'what is desired is asked anew in each pass',
    file: 'src/agent/reconciler.ts',
    from: 'const rows = desired()',
    to: 'const rows = (this.rows ??= desired())',
  },
  {
    rule: 'of a row that does not take another try is made',
    file: 'src/agent/stubborn-rows.ts',
    from: 'const pausedUntil = nowMs + backoffMs(this.#backoff, failures, chance)',
    to: 'const pausedUntil = Infinity',
  },
  {
    rule: 'a row that somebody falsified is put again',
    file: 'src/agent/believed-rows.ts',
    from: 'if (!this.#rules.same(present.row, row)) wishes.set(slot, row)',
    to: '',
  },
  {
    rule: 'a row that nobody wants is removed',
    file: 'src/agent/believed-rows.ts',
    from: 'if (metIn !== comparison) wishes.set(slot, undefined)',
    to: '{}',
  },
  {
    rule: 'what a dump does not show is not there',
    file: 'src/agent/believed-rows.ts',
    from: 'const rows = new Map<string, Believed<Row>>()\n    for (const row of dump)',
    to: 'const rows = new Map<string, Believed<Row>>(this.#rows)\n    for (const row of dump)',
  },
]

describe('the interleavings', () => {
  let mutant: Mutant

  beforeAll(() => {
    const rooms = ['src', 'test/agent', 'test/network-state', 'test/dissemination', 'examples/overlay-agent']
    mutant = new Mutant(rooms, MAIN)
  }, 60_000)

  afterAll(() => mutant.remove())

  const exitCode = (): number | null =>
    spawnSync(process.execPath, ['main.js'], { cwd: mutant.folder, stdio: 'inherit', timeout: 100_000 })
      .status

  it('end right where nothing is broken', () => {
    expect(exitCode()).toBe(0)
  })

  it.each(MUTATIONS)('find a broken rule: $rule', async (mutation) => {
    await mutant.broken(mutation, async () => expect(exitCode()).toBe(1))
  })
})
