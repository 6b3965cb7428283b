import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

/** Pages with a program that runs as it stands, found by how it begins. */
const PAGES = [
  ['docs/simulator.md', 'import { Simulation }'],
  ['docs/agents.md', 'import { Cluster }'],
] as const

describe.each(PAGES)('%s', (page, beginning) => {
  const text = readFileSync(page, 'utf8')

  it('links to files and headings that are there', () => {
    const anchors = new Set(
      [...text.matchAll(/^## (.*)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replaceAll(/[^a-z ]/g, '')
          .replaceAll(' ', '-'),
      ),
    )
    const targets = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!)
    expect(targets.length).toBeGreaterThan(3)
    for (const target of targets) {
      if (target.startsWith('#')) expect(anchors).toContain(target.slice(1))
      else expect(existsSync(join(dirname(page), target)), target).toBe(true)
    }
  })

  it('shows a program that runs as it stands, and prints what it says that it prints', () => {
    const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
    const code = blocks.find((block) => block.startsWith(beginning))!
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-docs-'))
    try {
      const file = join(directory, 'shown.mts')
      writeFileSync(
        file,
        code.replaceAll(/'hearsay(\/\w+)?'/g, (_, room?: string) => `'${entry(room)}'`),
      )
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', file], {
        encoding: 'utf8',
      })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      for (const [, printed] of code.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)) {
        expect(stdout).toContain(printed)
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

/** The source of what is exported as `hearsay`, `hearsay/agent`, `hearsay/sim`. */
function entry(room = ''): string {
  return pathToFileURL(room === '/sim' ? 'sim/index.ts' : `src${room}/index.ts`).href
}

describe('the API reference', () => {
  it('can be made of the sources without an error', () => {
    const { status, stdout } = spawnSync('npx', ['typedoc', '--emit', 'none', '--logLevel', 'Error'], {
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  }, 60_000)
})
