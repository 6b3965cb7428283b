import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A run of the benchmark of NetworkDB takes so long at most, ms. */
const TIMEOUT_MS = 600_000

/** What one run of NetworkDB's benchmark printed. */
export type NetworkDbResult = Readonly<Record<string, unknown>>

/** Runs the benchmark program at a path; it prints one line of JSON. */
export async function runNetworkDb(path: string, args: readonly string[]): Promise<NetworkDbResult> {
  const { stdout } = await promisify(execFile)(path, [...args], { timeout: TIMEOUT_MS })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as NetworkDbResult
}

/** A figure of a run; of several the highest. What never came about is without end. */
export function figureOf(result: NetworkDbResult, name: string): number {
  const values = [result[name]].flat().map(Number)
  return values.some((value) => value < 0) ? Number.POSITIVE_INFINITY : Math.max(...values)
}
