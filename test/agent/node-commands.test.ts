import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandError, iproute2 } from '../../src/agent/node-commands.ts'
import { RefusedRowsError } from '../../src/agent/refused-rows.ts'
import { HearsayError } from '../../src/errors.ts'

const PATIENT = { timeout: 10_000 }

describe.skipIf(process.platform === 'win32')('commands', () => {
  const run = iproute2()
  const path = process.env.PATH
  let directory: string

  /** Has `ip` be this script from now on. */
  const ipIs = (script: string): void => {
    const file = join(directory, 'ip')
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
  }
  const follow = (script: string): { lines: string[]; ended: Promise<void>; stop: () => void } => {
    ipIs(script)
    const lines: string[] = []
    let stop = (): void => {}
    const ended = new Promise<void>((resolve) => {
      const listener = {
        onLine: (line: string) => lines.push(line),
        onComplaint: (line: string) => lines.push(`! ${line}`),
        onEnd: resolve,
      }
      stop = run.follow?.('ip', ['monitor'], listener) ?? stop
    })
    return { lines, ended, stop }
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearsay-commands-'))
    process.env.PATH = `${directory}:${path}`
  })
  afterEach(() => {
    process.env.PATH = path
    rmSync(directory, { recursive: true })
  })

  it('give what they print, and are given their input', async () => {
    ipIs('echo "$@"; cat')
    expect(await run('ip', ['-batch', '-'], 'link show\n')).toBe('-batch -\nlink show\n')
  })

  it('that fail reject with what they said, under a stable code', async () => {
    ipIs('echo "Cannot find device" >&2; echo more >&2; exit 2')
    const error = await run('ip', ['link']).catch((error) => error)
    expect(error).toBeInstanceOf(CommandError)
    expect(error).toBeInstanceOf(HearsayError)
    expect(error).not.toBeInstanceOf(RefusedRowsError)
    expect(error).toMatchObject({
      code: 'ERR_COMMAND_FAILED',
      message: 'ip link: Cannot find device',
      stderr: 'Cannot find device\nmore\n',
    })
  })

  it('that do not read their input may fail all the same', async () => {
    ipIs('exit 1')
    await expect(run('ip', ['link'], 'x'.repeat(1_000_000))).rejects.toBeInstanceOf(CommandError)
  })

  it('that read a table while it changed have failed, whatever they say', async () => {
    ipIs('echo "[]"; echo "Dump was interrupted and may be inconsistent." >&2')
    await expect(run('ip', ['neigh'])).rejects.toThrow('Dump was interrupted')
  })

  it('may print more than a megabyte', async () => {
    ipIs('head -c 20000000 /dev/zero')
    expect(await run('ip', ['neigh'])).toHaveLength(20_000_000)
  })

  it('are the same for everybody in a namespace', () => {
    expect(iproute2()).toBe(run)
    expect(iproute2('blue')).toBe(iproute2('blue'))
    expect(iproute2('blue')).not.toBe(run)
  })

  it('that are followed tell each line, complaints apart, and that they have ended', async () => {
    const { lines, ended } = follow('echo one; echo two; echo three >&2')
    await ended
    await expect.poll(() => [...lines].sort(), PATIENT).toEqual(['! three', 'one', 'two'])
  })

  it('that are followed tell nothing more once told to end, and do end', async () => {
    const { lines, stop, ended } = follow(`echo $$; exec sleep 60`)
    await expect.poll(() => lines, PATIENT).toHaveLength(1)
    const pid = Number(lines[0])
    expect(() => process.kill(pid, 0)).not.toThrow()
    stop()
    stop()
    await expect.poll(() => isRunning(pid), PATIENT).toBe(false)
    expect(await Promise.race([ended.then(() => 'told'), 'silent'])).toBe('silent')
  })

  it('that are followed and cannot be run have ended', async () => {
    await follow('exit 127').ended
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
