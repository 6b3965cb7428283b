import { Buffer } from 'node:buffer'
import { stderr } from 'node:process'
import { parseArgs } from 'node:util'
import { errorCode } from '../runtime/node-faults.ts'
import { generateKey } from '../runtime/node-key.ts'
import { createSecretFile, nodeSecretFiles } from '../runtime/node-secret-files.ts'
import { UsageError } from './usage-error.ts'

interface Arguments {
  readonly format: 'hex' | 'base64'
  readonly out: string | undefined
  readonly force: boolean
}

/** Makes a key; returns what to print on standard output. */
export async function keygen(args: readonly string[]): Promise<string> {
  const { format, out, force } = parse(args)
  const line = `${Buffer.from(generateKey()).toString(format)}\n`
  if (out === undefined) return line
  const bytes = new TextEncoder().encode(line)
  await (force ? nodeSecretFiles.replace(out, bytes) : create(out, bytes))
  stderr.write(`Wrote a new key to ${out}, which only its owner can read.\n`)
  return ''
}

function parse(args: readonly string[]): Arguments {
  const { format, out, force } = options(args)
  if (format !== 'hex' && format !== 'base64')
    throw new UsageError(`--format is '${format}'; choose hex or base64`)
  if (out === '') throw new UsageError('--out names no file')
  if (force && out === undefined) throw new UsageError('--force goes with --out')
  return { format, out, force }
}

function options(args: readonly string[]): {
  readonly format: string
  readonly out?: string | undefined
  readonly force: boolean
} {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        format: { type: 'string', default: 'hex' },
        out: { type: 'string' },
        force: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

async function create(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await createSecretFile(path, bytes)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    throw new Error(`${path} is there already, and may hold a key in use; --force replaces it`)
  }
}
