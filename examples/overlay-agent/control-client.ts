import { callJson, type JsonCallOptions, pathOf } from '../shared/json-client.ts'
import type {
  AttachAnswer,
  EndpointInfo,
  EndpointSpec,
  NetworkInfo,
  NetworkSpec,
  RemovedAnswer,
  StatusAnswer,
} from './control-api.ts'

type Options = Omit<JsonCallOptions, 'body'>

/**
 * Speaks to the overlay agent of this host. Calls reject with an `ApiError`: with the agent's own code, with
 * `ERR_NO_AGENT` where none listens, or with `ERR_NO_ANSWER`.
 */
export class ControlClient {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  async status(options?: Options): Promise<StatusAnswer> {
    return (await this.#call('GET', '/status', options)) as StatusAnswer
  }

  async networks(options?: Options): Promise<readonly NetworkInfo[]> {
    return (await this.#call('GET', '/networks', options)) as readonly NetworkInfo[]
  }

  /** Takes part in a network; resolves once its device is made. Its state tells when it is ready. */
  async join(network: string, spec: NetworkSpec, options?: Options): Promise<NetworkInfo> {
    const body = spec
    return (await this.#call('PUT', pathOf('networks', network), { ...options, body })) as NetworkInfo
  }

  /** Withdraws all endpoints of this host from a network, and removes what was made for it. */
  async part(network: string, options?: Options): Promise<RemovedAnswer> {
    return (await this.#call('DELETE', pathOf('networks', network), options)) as RemovedAnswer
  }

  /** Endpoints of one network, or of all. */
  async endpoints(network?: string, options?: Options): Promise<readonly EndpointInfo[]> {
    const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
    return (await this.#call('GET', `/endpoints${query}`, options)) as readonly EndpointInfo[]
  }

  /** Says that an endpoint is on this host now, with these addresses and no others. */
  async attach(
    network: string,
    mac: string,
    ips: readonly string[],
    options?: Options,
  ): Promise<AttachAnswer> {
    const body: EndpointSpec = { ips }
    const path = pathOf('networks', network, 'endpoints', mac)
    return (await this.#call('PUT', path, { ...options, body })) as AttachAnswer
  }

  async detach(network: string, mac: string, options?: Options): Promise<RemovedAnswer> {
    return (await this.#call(
      'DELETE',
      pathOf('networks', network, 'endpoints', mac),
      options,
    )) as RemovedAnswer
  }

  /** Leaves the cluster and removes everything; the agent ends. */
  async down(options?: Options): Promise<void> {
    await this.#call('POST', '/down', options)
  }

  #call(method: string, path: string, options?: JsonCallOptions): Promise<unknown> {
    return callJson(this.socketPath, method, path, options)
  }
}
