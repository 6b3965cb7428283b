import { hostname } from 'node:os'
import type { ParseArgsConfig } from 'node:util'
import { isIpv6 } from '../../src/agent/index.ts'

/** What every agent process needs to know: how it takes part in the cluster, and how it is run. */
export interface NodeOptions {
  readonly name: string
  readonly bind: string
  readonly seeds: readonly string[]
  /** One of these three, or `insecure`. */
  readonly keyFile: string | undefined
  readonly keys: readonly string[]
  readonly insecure: boolean
  /** Long enough for an agent to restart: what it has claimed is there all the while. */
  readonly withdrawAfterMs: number
  readonly socket: string
  readonly stateDirectory: string | undefined
  /** How often to look for what somebody else has changed in the kernel. */
  readonly auditIntervalMs: number
  readonly stopOnEof: boolean
}

export type Environment = Readonly<Record<string, string | undefined>>

/** For `parseArgs`: what all commands take, and what `run` takes. */
export const NODE_OPTIONS = {
  socket: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  name: { type: 'string' },
  bind: { type: 'string' },
  seed: { type: 'string', multiple: true, default: [] as string[] },
  'key-file': { type: 'string' },
  'key-env': { type: 'string', default: 'HEARSAY_KEY' },
  insecure: { type: 'boolean', default: false },
  state: { type: 'string' },
  'withdraw-after-ms': { type: 'string', default: '10000' },
  'audit-ms': { type: 'string', default: '10000' },
  'stop-on-eof': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options']

const PORT = 7946
const DAY_MS = 86_400_000

interface Values {
  readonly name?: string | undefined
  readonly bind?: string | undefined
  readonly seed: readonly string[]
  readonly 'key-file'?: string | undefined
  readonly 'key-env': string
  readonly insecure: boolean
  readonly state?: string | undefined
  readonly 'withdraw-after-ms': string
  readonly 'audit-ms': string
  readonly 'stop-on-eof': boolean
}

/** Options that are the same for all agents; `address` is where the host is reached. Adds what is wrong to `faults`. */
export function nodeOptions(
  values: Values,
  socket: string,
  address: string,
  env: Environment,
  faults: string[],
): NodeOptions {
  const withdrawAfterMs = wholeNumber('--withdraw-after-ms', values['withdraw-after-ms'], [0, DAY_MS], faults)
  const auditIntervalMs = wholeNumber('--audit-ms', values['audit-ms'], [100, DAY_MS], faults)
  const keyFile = values['key-file']
  const key = keyFile === undefined ? env[values['key-env']] : undefined
  if (keyFile === undefined && key === undefined && !values.insecure) {
    faults.push(`give --key-file, put a key into ${values['key-env']}, or say --insecure`)
  }
  return {
    name: values.name ?? hostname(),
    bind: values.bind ?? `${isIpv6(address) ? `[${address}]` : address}:${PORT}`,
    seeds: values.seed,
    keyFile,
    keys: key === undefined ? [] : [key],
    insecure: values.insecure,
    withdrawAfterMs,
    socket,
    stateDirectory: values.state,
    auditIntervalMs,
    stopOnEof: values['stop-on-eof'],
  }
}

/** Adds to `faults` what is no number within bounds. */
export function wholeNumber(
  option: string,
  text: string | undefined,
  [min, max]: readonly [min: number, max: number],
  faults: string[],
): number {
  const value = /^\d{1,8}$/.test(text ?? '') ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) faults.push(`${option} must be a number from ${min} to ${max}`)
  return value
}
