import { parseDevice, parseIp, parseMac } from '../../src/agent/index.ts'
import { ApiError } from '../shared/api-error.ts'
import type { JsonHandler, JsonRequest } from '../shared/json-server.ts'
import type { OverlayAgent } from './agent.ts'
import { parseNetworkName } from './agent-state.ts'
import type { EndpointSpec, NetworkSpec } from './control-api.ts'
import { isVni } from './tables.ts'

const MAX_IPS = 32

/** What the control API calls. `down` also ends the process. */
export type Controlled = Pick<
  OverlayAgent,
  'status' | 'networks' | 'endpoints' | 'join' | 'part' | 'attach' | 'detach' | 'down'
>

/** Requests to calls of the agent: everything is checked here, and canonical afterwards. */
export function controlRoutes(agent: Controlled): JsonHandler {
  return async (request) => {
    const [what, name, below, mac, ...rest] = request.path
    if (rest.length > 0) throw notFound(request)
    if (name === undefined) return routeTop(agent, request, what)
    if (what !== 'networks') throw notFound(request)
    const network = networkName(name)
    if (below === undefined) return routeNetwork(agent, request, network)
    if (below !== 'endpoints' || mac === undefined) throw notFound(request)
    return routeEndpoint(agent, request, network, parsed(mac, parseMac, 'the MAC address of an endpoint'))
  }
}

function routeTop(agent: Controlled, request: JsonRequest, what: string | undefined): unknown {
  switch (`${request.method} ${what}`) {
    case 'GET status':
      return agent.status()
    case 'GET networks':
      return agent.networks()
    case 'GET endpoints': {
      const network = request.query.get('network')
      return agent.endpoints(network === null ? undefined : networkName(network))
    }
    case 'POST down':
      return agent.down()
  }
  throw notFound(request)
}

function routeNetwork(agent: Controlled, request: JsonRequest, network: string): unknown {
  if (request.method === 'PUT') return agent.join(network, networkSpec(request.body))
  if (request.method === 'DELETE') return agent.part(network)
  throw notFound(request)
}

function routeEndpoint(agent: Controlled, request: JsonRequest, network: string, mac: string): unknown {
  if (request.method === 'PUT') return agent.attach(network, mac, endpointSpec(request.body).ips)
  if (request.method === 'DELETE') return agent.detach(network, mac)
  throw notFound(request)
}

function networkSpec(body: unknown): NetworkSpec {
  const { vni, bridge, device, ...others } = fieldsOf(body)
  refuseOthers(others)
  if (!isVni(vni)) throw invalid('vni', vni, 'a number from 1 to 16777215')
  const wanted = 'a device name, 15 letters at most'
  return {
    vni,
    ...(bridge === undefined ? {} : { bridge: parsed(bridge, parseDevice, wanted) }),
    ...(device === undefined ? {} : { device: parsed(device, parseDevice, wanted) }),
  }
}

function endpointSpec(body: unknown): EndpointSpec {
  const { ips, ...others } = fieldsOf(body)
  refuseOthers(others)
  if (!Array.isArray(ips) || ips.length > MAX_IPS)
    throw invalid('ips', ips, `a list of ${MAX_IPS} addresses at most`)
  const canonical = ips.map((ip) => parsed(ip, parseIp, 'the IP address of an endpoint'))
  return { ips: [...new Set(canonical)] }
}

function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>
  throw new ApiError(400, 'ERR_REQUEST_INVALID', 'the body must be a JSON object')
}

/** A misspelt option must not be taken for its default. */
function refuseOthers(others: Readonly<Record<string, unknown>>): void {
  const [first] = Object.keys(others)
  if (first !== undefined)
    throw new ApiError(400, 'ERR_REQUEST_INVALID', `the field ${inWords(first)} is not known`)
}

function networkName(value: unknown): string {
  return parsed(value, parseNetworkName, 'a network name: 1 to 63 bytes, no spaces')
}

function parsed(value: unknown, parse: (text: string) => string | undefined, wanted: string): string {
  const result = typeof value === 'string' ? parse(value) : undefined
  if (result === undefined)
    throw new ApiError(400, 'ERR_REQUEST_INVALID', `${inWords(value)} is not ${wanted}`)
  return result
}

function invalid(field: string, value: unknown, wanted: string): ApiError {
  return new ApiError(400, 'ERR_REQUEST_INVALID', `${field} must be ${wanted}, not ${inWords(value)}`)
}

/** Not all of it, if it is long. */
function inWords(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

function notFound({ method, path }: JsonRequest): ApiError {
  return new ApiError(
    404,
    'ERR_NOT_FOUND',
    `there is nothing to ${method} at ${inWords(`/${path.join('/')}`)}`,
  )
}
