import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { LabHost } from '../../examples/lab/lab.ts'

/** Rows that lead to one endpoint, by the table; undefined where there is none. */
export interface Rows {
  readonly vtep: string | undefined
  readonly isOnBridge: boolean
  readonly mac: string | undefined
}

/**
 * The rows of a VXLAN device as the kernel itself reports each change of them, through one `bridge monitor` and one `ip
 * monitor` that run all the time. It knows of what has changed since it was started, and of nothing before.
 */
export class KernelWatch {
  readonly #device: string
  readonly #children: ChildProcess[]
  readonly #vteps = new Map<string, string>()
  readonly #onBridge = new Set<string>()
  readonly #macs = new Map<string, string>()
  /** Called after each change. */
  onChange: () => void = () => {}

  constructor({ namespace }: LabHost, device: string) {
    this.#device = device
    this.#children = [
      this.#monitor('bridge', ['-netns', namespace, 'monitor', 'fdb'], (words, isGone) =>
        this.#takeFdb(words, isGone),
      ),
      this.#monitor('ip', ['-netns', namespace, 'monitor', 'neigh'], (words, isGone) =>
        this.#takeNeighbour(words, isGone),
      ),
    ]
  }

  rows(mac: string, ip: string): Rows {
    return {
      vtep: this.#vteps.get(mac),
      isOnBridge: this.#onBridge.has(mac),
      mac: this.#macs.get(ip),
    }
  }

  stop(): void {
    for (const child of this.#children) child.kill()
  }

  #monitor(
    tool: string,
    args: readonly string[],
    take: (words: readonly string[], isGone: boolean) => void,
  ): ChildProcess {
    const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    createInterface(child.stdout).on('line', (line) => {
      const words = line.trim().split(/\s+/)
      const isGone = words[0] === 'Deleted'
      if (isGone) words.shift()
      if (after(words, 'dev') !== this.#device) return
      take(words, isGone)
      this.onChange()
    })
    return child
  }

  #takeFdb(words: readonly string[], isGone: boolean): void {
    const [mac = ''] = words
    const vtep = after(words, 'dst')
    if (vtep !== undefined) put(this.#vteps, mac, isGone ? undefined : vtep)
    else if (isGone) this.#onBridge.delete(mac)
    else this.#onBridge.add(mac)
  }

  #takeNeighbour(words: readonly string[], isGone: boolean): void {
    const [ip = ''] = words
    put(this.#macs, ip, isGone ? undefined : after(words, 'lladdr'))
  }
}

function after(words: readonly string[], key: string): string | undefined {
  const index = words.indexOf(key)
  return index < 0 ? undefined : words[index + 1]
}

function put(map: Map<string, string>, key: string, value: string | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
