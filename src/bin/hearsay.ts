#!/usr/bin/env node
import { createRequire } from 'node:module'
import process, { argv, stderr, stdout } from 'node:process'
import { keygen } from './keygen.ts'
import { UsageError } from './usage-error.ts'

const USAGE = `usage: hearsay keygen [--format hex|base64] [--out FILE [--force]]
       hearsay --help | --version

keygen   makes a cluster key of 32 random bytes and prints it, or writes it to a file
         that only its owner can read. Give the same key to every node, as \`keys\` or
         as \`keyFile\` of Cluster.start.

  --format hex|base64   how to write it; hex if not said
  --out FILE            writes it there, mode 0600, and prints nothing on standard output
  --force               replaces FILE if there is one
`

async function run([command, ...rest]: readonly string[]): Promise<string> {
  switch (command) {
    case 'keygen':
      return keygen(rest)
    case '--help':
    case '-h':
    case 'help':
      return USAGE
    case '--version':
      return `${version()}\n`
    case undefined:
      throw new UsageError('say what to do')
    default:
      throw new UsageError(`there is no command '${command}'`)
  }
}

function version(): string {
  const manifest = createRequire(import.meta.url)('hearsay/package.json') as { readonly version: string }
  return manifest.version
}

run(argv.slice(2)).then(
  (output) => stdout.write(output),
  (error: unknown) => {
    const usage = error instanceof UsageError ? "; 'hearsay --help' says how" : ''
    stderr.write(`hearsay: ${error instanceof Error ? error.message : String(error)}${usage}\n`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  },
)
