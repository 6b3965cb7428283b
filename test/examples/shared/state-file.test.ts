import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readState, StateFile } from '../../../examples/shared/state-file.ts'

const NAME = 'state.json'
const parse = (value: unknown): unknown => value

describe('a state file', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('gives back any state that was saved', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await new StateFile(directory, NAME, () => value).save()
        expect(JSON.stringify(await readState(directory, NAME, parse))).toBe(JSON.stringify(value))
      }),
      { numRuns: 50 },
    )
  })

  it('is none before the first time, in a directory that need not exist', async () => {
    expect(await readState(join(directory, 'a', 'b'), NAME, parse)).toBeUndefined()
    await new StateFile(join(directory, 'a', 'b'), NAME, () => 1).save()
    expect(await readState(join(directory, 'a', 'b'), NAME, parse)).toBe(1)
  })

  it('holds at least what there was when each save was asked for, however many come at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { maxLength: 20 }), async (pauses) => {
        let state = 0
        const file = new StateFile(directory, NAME, () => state)
        const saves: Promise<void>[] = []
        for (const pause of pauses) {
          const asked = ++state
          const check = (): void =>
            expect(JSON.parse(readFileSync(file.path, 'utf8'))).toBeGreaterThanOrEqual(asked)
          saves.push(file.save().then(check))
          for (let i = 0; i < pause; i++) await new Promise(setImmediate)
        }
        await Promise.all(saves)
      }),
      { numRuns: 30 },
    )
  })

  it('leaves nothing under way once it is flushed', async () => {
    let state = 0
    const file = new StateFile(directory, NAME, () => ++state)
    for (let i = 0; i < 20; i++) {
      file.save()
      if (i % 3 === 0) await new Promise(setImmediate)
    }
    await file.flushed()
    expect(readdirSync(directory)).toEqual([NAME])
    expect(JSON.parse(readFileSync(file.path, 'utf8'))).toBe(state)
  })

  it('writes once what is asked for a thousand times at once', async () => {
    let writes = 0
    const file = new StateFile(directory, NAME, () => ++writes)
    await Promise.all(Array.from({ length: 1_000 }, () => file.save()))
    expect(writes).toBeLessThanOrEqual(2)
  })

  it('is complete at every moment, old or new, and nothing lies beside it afterwards', async () => {
    let state = 'old'.repeat(20_000)
    const file = new StateFile(directory, NAME, () => state)
    await file.save()
    state = 'new'.repeat(40_000)
    const saving = file.save()
    let saved = false
    void saving.then(() => {
      saved = true
    })
    while (!saved) {
      expect(['old', 'new']).toContain(JSON.parse(readFileSync(file.path, 'utf8')).slice(0, 3))
      await new Promise(setImmediate)
    }
    expect(readdirSync(directory)).toEqual([NAME])
  })

  it('may be read by its owner only', async () => {
    await new StateFile(directory, NAME, () => 1).save()
    expect(statSync(join(directory, NAME)).mode & 0o777).toBe(0o600)
  })

  it('rejects what it cannot write, and writes the next time', async () => {
    const file = new StateFile(directory, NAME, () => 1)
    mkdirSync(`${file.path}.new`)
    await expect(file.save()).rejects.toThrow()
    rmSync(`${file.path}.new`, { recursive: true })
    await file.save()
    expect(await readState(directory, NAME, parse)).toBe(1)
  })

  it('is passed over where a write broke off, and removed with what that left', async () => {
    const file = new StateFile(directory, NAME, () => 1)
    await file.save()
    writeFileSync(`${file.path}.new`, '{"half')
    expect(await readState(directory, NAME, parse)).toBe(1)
    await file.remove()
    await file.remove()
    expect(readdirSync(directory)).toEqual([])
  })

  it('that is damaged is refused in words that name it and say why, and stays as it is', async () => {
    const path = join(directory, NAME)
    writeFileSync(path, '{"half')
    await expect(readState(directory, NAME, parse)).rejects.toThrow(`the state file ${path} is damaged`)
    writeFileSync(path, '{}')
    const refuse = (): never => {
      throw new Error('no version')
    }
    await expect(readState(directory, NAME, refuse)).rejects.toThrow('(no version): correct or remove it')
    expect(readFileSync(path, 'utf8')).toBe('{}')
  })
})
