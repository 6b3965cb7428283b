import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { iproute2, type Run } from '../../src/agent/index.ts'
import { STATE_FILE_NAME } from './agent-state.ts'
import { MARK } from './bridge-device.ts'

/** Removes what an agent that is gone has left behind on this host. Returns what that was, in words. */
export async function removeLeftovers(
  stateDirectory: string | undefined,
  socketPath: string,
  run: Run = iproute2(),
): Promise<string[]> {
  const removed: string[] = []
  for (const device of await markedDevices(run)) {
    await run('ip', ['link', 'del', 'dev', device])
    removed.push(`removed device ${device}`)
  }
  if (stateDirectory !== undefined) {
    await rm(join(stateDirectory, STATE_FILE_NAME), { force: true })
    removed.push(`forgot what was kept in ${stateDirectory}`)
  }
  await rm(socketPath, { force: true })
  return removed
}

async function markedDevices(run: Run): Promise<string[]> {
  const links: unknown = JSON.parse((await run('ip', ['-json', 'link', 'show'])) || '[]')
  return (links as { ifname: string; ifalias?: string }[])
    .filter(({ ifalias }) => ifalias === MARK)
    .map(({ ifname }) => ifname)
}
