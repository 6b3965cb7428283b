import { readFile, writeFile } from 'node:fs/promises'
import type { Run } from '../../src/agent/index.ts'
import { type Links, readLinks } from './links.ts'
import type { Problem } from './problem.ts'

/** What an agent has to know of the machine that it runs on. */
export interface Host {
  /** Its addresses, and its routes but for those of the agent, as they are now. */
  links(): Promise<Links>
  /** What about its settings keeps containers from reaching each other. */
  problems(): Promise<readonly Problem[]>
}

/** This machine, or rather the network namespace of this process. */
export class LinuxHost implements Host {
  readonly #run: Run
  readonly #family: 4 | 6
  readonly #protocol: number

  /** `protocol` is the number that marks the agent's own routes. */
  constructor(run: Run, family: 4 | 6, protocol: number) {
    this.#run = run
    this.#family = family
    this.#protocol = protocol
  }

  links(): Promise<Links> {
    return readLinks(this.#run, this.#family, this.#protocol)
  }

  async problems(): Promise<readonly Problem[]> {
    const path = forwardingFile(this.#family)
    if ((await readFile(path, 'latin1')).trim() !== '0') return []
    const message =
      `this host does not forward IPv${this.#family} packets, so its containers are cut off: ` +
      `say "echo 1 >${path}", or run the agent with --enable-forwarding`
    return [{ code: 'ERR_FORWARDING_OFF', subject: path, message }]
  }

  /** For good: it is left on, since others may have come to rely on it. */
  enableForwarding(): Promise<void> {
    return writeFile(forwardingFile(this.#family), '1\n')
  }
}

function forwardingFile(family: 4 | 6): string {
  return family === 4 ? '/proc/sys/net/ipv4/ip_forward' : '/proc/sys/net/ipv6/conf/all/forwarding'
}
