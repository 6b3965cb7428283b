import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url)

/** The package resolves its own name to what was built, as it would when installed. */
async function node(...args: string[]): Promise<string> {
  return (await run(process.execPath, args, { cwd: root })).stdout
}

describe('the built package', () => {
  it('can be imported, and exports what the README uses', async () => {
    const script = "import * as h from 'hearsay'; console.log(Object.keys(h).sort().join())"
    expect((await node('--input-type=module', '-e', script)).trim()).toBe(
      'Cluster,HearsayError,NodeRuntime,generateKey',
    )
  })

  it('can be required: no module of it awaits at its top level', async () => {
    const script = "console.log(typeof require('hearsay').Cluster, typeof require('hearsay/sim').Simulation)"
    expect((await node('--no-warnings', '-e', script)).trim()).toBe('function function')
  })

  it('lets nobody reach what is inside', async () => {
    const script = "import('hearsay/dist/src/cluster.js').catch(({ code }) => console.log(code))"
    expect((await node('-e', script)).trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  it('has the two runtime dependencies that it says it has', () => {
    const { dependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect(Object.keys(dependencies).sort()).toEqual(['eventemitter3', 'libsodium-wrappers'])
  })
})

describe('the README', () => {
  it('has code that does what it says, pasted unchanged', async () => {
    const readme = readFileSync(new URL('README.md', root), 'utf8')
    const [, code] = /```ts\n([\s\S]*?)```/.exec(readme)!
    const folder = new URL('dist/readme/', root)
    mkdirSync(folder, { recursive: true })
    const file = new URL('hello.mts', folder)
    writeFileSync(file, code!)
    const output = await node('--import', 'tsx', file.pathname)
    expect(output).toContain('host-2 is up at 127.0.0.1:')
    expect(output).toContain("owner: 'host-1'")
    expect(output).toContain("type: 'synced'")
  })
})
