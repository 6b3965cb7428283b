import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

/** A host made of a network namespace, with one container (another namespace) behind a bridge. */
export interface LabHost {
  readonly name: string
  readonly namespace: string
  /** Its address on the underlay. */
  readonly vtep: string
  readonly bridge: string
  readonly container: { readonly namespace: string; readonly ip: string; readonly mac: string }
}

const NAMESPACE = /^hearsay-(\d+)-(\d+)-/
const UNDERLAY_MTU = 1500
const VXLAN_OVERHEAD = 70

/**
 * Hosts on a private underlay: each one a network namespace, joined by a bridge in a namespace of its own. No
 * device and no address exists outside of these namespaces, so removing them removes everything. Their names
 * carry the process that made them: labs never collide, and what a killed process left behind is known as
 * such.
 */
export class Lab {
  readonly hosts: readonly LabHost[]
  readonly #switch: string
  readonly #onExit = (): void => this.remove()
  #janitor: ChildProcess | undefined

  /** Throws if the kernel refuses; nothing is left behind then. */
  static build(hostCount: number, underlay: 'ipv4' | 'ipv6' = 'ipv4'): Lab {
    removeAbandoned()
    const lab = new Lab(hostCount, underlay)
    lab.#removeAtTheEnd()
    try {
      lab.#build(underlay === 'ipv4' ? 24 : 64)
    } catch (error) {
      lab.remove()
      throw error
    }
    return lab
  }

  private constructor(hostCount: number, underlay: 'ipv4' | 'ipv6') {
    const run = `hearsay-${process.pid}-${startTimeOf(process.pid)}-${randomBytes(3).toString('hex')}`
    this.#switch = `${run}-switch`
    this.hosts = Array.from({ length: hostCount }, (_, index) => {
      const number = index + 1
      return {
        name: `h${number}`,
        namespace: `${run}-h${number}`,
        vtep: underlay === 'ipv4' ? `10.77.0.${number}` : `fd77::${number}`,
        bridge: 'br0',
        container: {
          namespace: `${run}-c${number}`,
          ip: `10.42.0.${number}`,
          mac: `02:42:0a:2a:00:${number.toString(16).padStart(2, '0')}`,
        },
      }
    })
  }

  /**
   * Ends every process in the namespaces and removes them, with all that is in them. Idempotent, never
   * throws.
   */
  remove(): void {
    process.off('exit', this.#onExit)
    removeNamespaces(this.#namespaces)
    this.#janitor?.stdin?.end()
  }

  /**
   * In whatever way this process ends: after a SIGKILL a janitor does it, who notices that the other end of
   * its input is gone. It is not in our process group, so no Ctrl-C reaches it.
   */
  #removeAtTheEnd(): void {
    process.once('exit', this.#onExit)
    const args = ['-c', `cat; ${REMOVE}`, 'sh', ...this.#namespaces]
    this.#janitor = spawn('sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    this.#janitor.unref()
    // Typed as a stream, and a socket in fact: it must not keep us alive.
    ;(this.#janitor.stdin as Socket).unref()
  }

  get #namespaces(): string[] {
    const ofHosts = this.hosts.flatMap(({ namespace, container }) => [namespace, container.namespace])
    return [...ofHosts, this.#switch]
  }

  #build(prefixLength: number): void {
    addNamespace(this.#switch)
    ip(this.#switch, 'link add br0 type bridge', 'link set dev br0 up')
    for (const { name, namespace, vtep, bridge, container } of this.hosts) {
      addNamespace(namespace)
      addNamespace(container.namespace)
      ip(
        namespace,
        `link add underlay mtu ${UNDERLAY_MTU} type veth peer name ${name} netns ${this.#switch}`,
        `address add ${vtep}/${prefixLength} dev underlay${vtep.includes(':') ? ' nodad' : ''}`,
        'link set dev underlay up',
        `link add ${bridge} type bridge`,
        `link set dev ${bridge} up`,
        `link add c0 type veth peer name eth0 netns ${container.namespace}`,
        `link set dev c0 master ${bridge} up`,
      )
      ip(this.#switch, `link set dev ${name} master br0 up`)
      ip(
        container.namespace,
        `link set dev eth0 address ${container.mac} mtu ${UNDERLAY_MTU - VXLAN_OVERHEAD} up`,
        `address add ${container.ip}/24 dev eth0`,
      )
    }
  }
}

/** Why this machine cannot run a lab, in a few words; undefined if it can. */
export function missingForLab(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const tool of ['ip', 'bridge']) {
    if (spawnSync(tool, ['-V']).status !== 0) return `needs iproute2 ("${tool}" not found)`
  }
  const trial = `hearsay-${process.pid}-${startTimeOf(process.pid)}-${randomBytes(3).toString('hex')}-trial`
  try {
    addNamespace(trial)
    ip(trial, 'link add vx0 type vxlan id 1 dstport 4789 nolearning proxy', 'link add br0 type bridge')
    return undefined
  } catch (error) {
    const [reason] = (error as Error).message.split('\n')
    return `needs the right to make network namespaces with VXLAN (${reason})`
  } finally {
    removeNamespaces([trial])
  }
}

/** Removes the labs of processes that are gone, and no others. */
function removeAbandoned(): void {
  const lines = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n')
  const names = lines.map((line) => line.split(' ')[0] ?? '')
  const abandoned = names.filter((name) => {
    const [, pid, startTime] = NAMESPACE.exec(name) ?? []
    return pid !== undefined && startTimeOf(Number(pid)) !== startTime
  })
  removeNamespaces(abandoned)
}

/** When a process started, in ticks since boot: with its id, a name that is never used twice. */
function startTimeOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')
    return fields?.[19]
  } catch {
    return undefined
  }
}

function addNamespace(name: string): void {
  execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
  ip(name, 'link set dev lo up')
}

const REMOVE = `
  for name; do for pid in $(ip netns pids "$name" 2>&-); do kill -KILL "$pid"; done; done
  for name; do echo "netns delete $name"; done | ip -force -batch -`

function removeNamespaces(names: readonly string[]): void {
  if (names.length > 0) spawnSync('sh', ['-c', REMOVE, 'sh', ...names], { stdio: 'ignore' })
}

function ip(namespace: string, ...lines: readonly string[]): void {
  execFileSync('ip', ['-netns', namespace, '-batch', '-'], { input: lines.join('\n'), stdio: 'pipe' })
}
