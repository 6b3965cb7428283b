import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { LabContainer, LabHost } from '../../examples/lab/lab.ts'

const run = promisify(execFile)

/**
 * The rows that a host's kernel should hold for the containers that are attached elsewhere, spelled as `bridge fdb
 * show` and `ip neigh show` do. It is written down here once more, and not asked of the agent, which it is to judge.
 */
export function expectedRows(host: LabHost, attached: readonly LabContainer[]): string[] {
  const remote = attached.filter((container) => container.host !== host)
  return remote
    .flatMap(({ ips, mac, host: { vtep } }) => [
      `${mac} dst ${vtep} self permanent`,
      `${mac} master ${host.bridge} static`,
      ...ips.map((ip) => `${ip} lladdr ${mac} PERMANENT`),
    ])
    .sort()
}

/**
 * Every row of the VXLAN device, whoever made it, but for what the kernel keeps for itself: the device's own address on
 * the bridge, and multicast.
 */
export async function actualRows({ namespace }: LabHost, device: string): Promise<string[]> {
  const show = async (tool: string, ...args: readonly string[]): Promise<string[]> => {
    const { stdout } = await run(tool, ['-netns', namespace, ...args, 'show', 'dev', device]).catch(
      (error: { stderr: string }) => ({ stdout: `none: ${error.stderr}` }),
    )
    return stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  }
  const [fdb, neighbours] = await Promise.all([show('bridge', 'fdb'), show('ip', 'neigh')])
  const isOurs = (line: string): boolean => !/ master \S+ permanent$/.test(line) && !line.endsWith(' NOARP')
  return [...fdb, ...neighbours].filter(isOurs).sort()
}

/** What is in one and not in the other, one a line. */
export function rowsApart(expected: readonly string[], actual: readonly string[]): string[] {
  return [
    ...expected.filter((row) => !actual.includes(row)).map((row) => `missing  ${row}`),
    ...actual.filter((row) => !expected.includes(row)).map((row) => `surplus  ${row}`),
  ]
}
