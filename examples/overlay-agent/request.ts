import { type Answered, downOrTidy } from '../shared/down.ts'
import { printTable } from '../shared/table-print.ts'
import type { EndpointInfo, NetworkInfo, StatusAnswer } from './control-api.ts'
import { ControlClient } from './control-client.ts'
import { removeLeftovers } from './leftovers.ts'
import type { Request } from './options.ts'

/** Asks the running agent, and returns what is to be printed. */
export async function runRequest(request: Request): Promise<string> {
  const client = new ControlClient(request.socket)
  const { answer, text } = await ask(client, request)
  return request.json ? JSON.stringify(answer, undefined, 2) : text
}

async function ask(client: ControlClient, request: Request): Promise<Answered> {
  switch (request.command) {
    case 'join': {
      const answer = await client.join(request.network, request.spec)
      return { answer, text: networksTable([answer]) }
    }
    case 'part': {
      const answer = await client.part(request.network)
      return {
        answer,
        text: answer.removed ? `parted ${request.network}` : `${request.network} was not joined`,
      }
    }
    case 'attach': {
      const answer = await client.attach(request.network, request.mac, request.ips)
      const { mac, ips, bridge, mtu = 'unknown' } = answer
      return {
        answer,
        text: `${[mac, ...ips].join(' ')} is here; its interface: bridge ${bridge}, MTU ${mtu}`,
      }
    }
    case 'detach': {
      const answer = await client.detach(request.network, request.mac)
      return {
        answer,
        text: answer.removed ? `detached ${request.mac}` : `${request.mac} was not attached here`,
      }
    }
    case 'list': {
      const answer = await client.endpoints(request.network)
      return { answer, text: endpointsTable(answer) }
    }
    case 'status': {
      const answer = await client.status()
      return { answer, text: statusText(answer) }
    }
    case 'down':
      return downOrTidy(
        () => client.down(),
        () => removeLeftovers(request.stateDirectory, client.socketPath),
      )
  }
}

function statusText({ name, address, vtep, isolated, members, networks }: StatusAnswer): string {
  const lines = [`${name} at ${address}, VTEP ${vtep}${isolated ? ', ISOLATED: nobody answers' : ''}`, '']
  lines.push(
    printTable(
      ['MEMBER', 'ADDRESS', 'STATUS'],
      members.map((each) => [each.name, each.address, each.status]),
    ),
  )
  lines.push('', networksTable(networks))
  for (const { name, vni, strangers } of networks) {
    if (strangers.length > 0)
      lines.push('', `${name}: not VNI ${vni}, but another at ${strangers.join(', ')}`)
  }
  const errors = networks.filter(({ kernel }) => kernel.lastError !== undefined)
  if (errors.length > 0) lines.push('', ...errors.map((each) => `${each.name}: ${each.kernel.lastError}`))
  return lines.join('\n')
}

function networksTable(networks: readonly NetworkInfo[]): string {
  const head = ['NETWORK', 'VNI', 'DEVICE', 'BRIDGE', 'MTU', 'STATE', 'ENDPOINTS', 'HERE', 'ROWS', 'KERNEL']
  const rows = networks.map(({ name, vni, device, bridge, mtu, state, endpoints, attached, kernel }) => {
    const condition = kernel.lastError === undefined ? (kernel.settled ? 'settled' : 'changing') : 'failing'
    return [name, vni, device, bridge, mtu, state, endpoints, attached, kernel.actual, condition]
  })
  return printTable(head, rows)
}

function endpointsTable(endpoints: readonly EndpointInfo[]): string {
  const head = ['NETWORK', 'IP', 'MAC', 'VTEP', 'OWNER', 'HERE']
  const sorted = [...endpoints].sort(
    (a, b) => compare(a.network, b.network) || compare(a.mac, b.mac) || compare(a.ip ?? '', b.ip ?? ''),
  )
  return printTable(
    head,
    sorted.map(({ network, ip, mac, vtep, owner, local }) => [
      network,
      ip,
      mac,
      vtep,
      owner,
      local ? 'yes' : 'no',
    ]),
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
