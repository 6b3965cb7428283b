import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

const PAGE = 'docs/simulator.md'
const text = readFileSync(PAGE, 'utf8')

describe('docs/simulator.md', () => {
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
    expect(targets.length).toBeGreaterThan(10)
    for (const target of targets) {
      if (target.startsWith('#')) expect(anchors).toContain(target.slice(1))
      else expect(existsSync(join(dirname(PAGE), target)), target).toBe(true)
    }
  })

  it('shows a test in virtual time that runs as it stands', () => {
    const code = /```ts\n(import \{ Simulation \}.*?)```/s.exec(text)![1]!
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-docs-'))
    try {
      const file = join(directory, 'shown.mts')
      const sim = pathToFileURL('sim/index.ts').href
      writeFileSync(file, code.replace("'hearsay/sim'", `'${sim}'`))
      const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8' })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('the API reference', () => {
  it('can be made of the sources without an error', () => {
    const { status, stdout } = spawnSync('npx', ['typedoc', '--emit', 'none', '--logLevel', 'Error'], {
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  }, 60_000)
})
