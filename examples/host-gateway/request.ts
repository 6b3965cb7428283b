import { rm } from 'node:fs/promises'
import { iproute2, LinuxRouteKernel, type Run } from '../../src/agent/index.ts'
import { type Answered, downOrTidy } from '../shared/down.ts'
import { readState } from '../shared/state-file.ts'
import { printTable } from '../shared/table-print.ts'
import { parseState, STATE_FILE_NAME } from './agent-state.ts'
import { LinuxBridgeAddresses } from './bridge-address.ts'
import { HostGatewayClient } from './client.ts'
import type { Request } from './options.ts'
import { parsePrefix } from './prefix.ts'
import type { AgentStatus } from './status.ts'

/** Asks the running agent, and returns what is to be printed. */
export async function runRequest(request: Request): Promise<string> {
  const { answer, text } = await ask(new HostGatewayClient(request.socket), request)
  return request.json ? JSON.stringify(answer, undefined, 2) : text
}

async function ask(client: HostGatewayClient, request: Request): Promise<Answered> {
  if (request.command === 'down') {
    return downOrTidy(
      () => client.down(),
      () => removeLeftovers(request, iproute2()),
    )
  }
  const answer = await client.status()
  return { answer, text: statusText(answer) }
}

/** Removes what an agent that is gone has left behind on this host. Returns what that was, in words. */
async function removeLeftovers({ socket, stateDirectory, protocol }: Request, run: Run): Promise<string[]> {
  const removed: string[] = []
  const routes = new LinuxRouteKernel({ protocol }, run)
  const rows = await routes.dump()
  await routes.remove()
  removed.push(...rows.map(({ destination, via }) => `removed route ${destination} via ${via}`))
  if (stateDirectory !== undefined) {
    const state = await readState(stateDirectory, STATE_FILE_NAME, parseState)
    const range = parsePrefix(state?.range ?? '')
    if (state?.bridge !== undefined && range !== undefined) {
      const bridge = new LinuxBridgeAddresses(state.bridge, range, run)
      const addresses = await bridge.dump()
      await bridge.remove()
      removed.push(...addresses.map(({ address }) => `removed address ${address} from ${state.bridge}`))
    }
    await rm(`${stateDirectory}/${STATE_FILE_NAME}`, { force: true })
    if (state !== undefined) removed.push(`forgot what was kept in ${stateDirectory}`)
  }
  await rm(socket, { force: true })
  return removed
}

export function statusText(status: AgentStatus): string {
  const { name, address, isolated, range, subnetLength, gateway, subnet, claim } = status
  const lines = [
    `${name} at ${address}${isolated ? ', ISOLATED: nobody answers' : ''}`,
    `subnet ${subnet ?? `none (${claim})`} via ${gateway}, out of ${range} in subnets of length ${subnetLength}`,
    '',
    printTable(
      ['MEMBER', 'ADDRESS', 'STATUS'],
      status.members.map((member) => [member.name, member.address, member.status]),
    ),
    '',
    printTable(
      ['ROUTE', 'VIA'],
      status.routes.map(({ destination, via }) => [destination, via]),
    ),
  ]
  for (const [what, kernel] of [
    ['routes', status.kernel],
    ['bridge', status.bridge],
  ] as const) {
    if (kernel?.lastError !== undefined)
      lines.push('', `the ${what} are not as they should be: ${kernel.lastError}`)
  }
  if (status.problems.length > 0) {
    lines.push('', 'problems:', ...status.problems.map(({ code, message }) => `${code}  ${message}`))
  }
  return lines.join('\n')
}
