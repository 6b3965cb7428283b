import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { iproute2, type Run, VxlanDevice } from '../../src/agent/index.ts'
import { STATE_FILE_NAME } from './agent-state.ts'
import { BridgeDevice } from './bridge-device.ts'

/** Removes what an agent that is gone has left behind on this host. Returns what that was, in words. */
export async function removeLeftovers(
  stateDirectory: string | undefined,
  socketPath: string,
  run: Run = iproute2(),
): Promise<string[]> {
  const devices = await VxlanDevice.removeOurs(run)
  const bridges = await BridgeDevice.removeOurs(run)
  const removed = [...devices.map(({ name }) => name), ...bridges].map((name) => `removed device ${name}`)
  if (stateDirectory !== undefined) {
    await rm(join(stateDirectory, STATE_FILE_NAME), { force: true })
    removed.push(`forgot what was kept in ${stateDirectory}`)
  }
  await rm(socketPath, { force: true })
  return removed
}
