import type { Lab, LabContainer, LabHost } from './lab.ts'
import type { Playground } from './playground.ts'

interface Command {
  readonly purpose: string
  /** Resolves with what to print, once it is done; anything but text goes without saying. */
  run(playground: Playground, words: Words): unknown
}

/** What a user may do to a lab from a second terminal, by the words that do it. */
const COMMANDS: Readonly<Record<string, Command>> = {
  list: {
    purpose: 'hosts, agents, containers, and who is cut off from whom',
    run: (playground) => overview(playground),
  },
  'status HOST': {
    purpose: 'what its agent says of itself',
    run: async (playground, words) => JSON.stringify(await playground.status(words.host()), undefined, 2),
  },
  'log HOST': {
    purpose: 'the last lines that its agent printed',
    run: (playground, words) => playground.agent(words.host()).lastWords.join('\n'),
  },
  'add HOST': {
    purpose: 'makes a container there, and tells the agent',
    run: async (playground, words) => line(await playground.add(words.host())),
  },
  'attach CONTAINER': {
    purpose: 'tells the agent of its host that it is there',
    run: (playground, words) => playground.attach(words.container()),
  },
  'detach CONTAINER': {
    purpose: 'tells it that it is not; the container stays',
    run: (playground, words) => playground.detach(words.container()),
  },
  'move CONTAINER HOST': {
    purpose: 'to another host, with its addresses and connections',
    run: (playground, words) => playground.move(words.container(), words.host()),
  },
  'partition HOST,HOST... [HOST,...]': {
    purpose: 'each group hears only itself; the other hosts form one more',
    run: ({ lab }, words) => lab.partition(...words.groups()),
  },
  'cut HOST HOST': {
    purpose: 'one way: nothing gets from the first to the second',
    run: ({ lab }, words) => lab.cut(words.host(), words.host()),
  },
  heal: { purpose: 'ends all partitions and cuts', run: ({ lab }) => lab.heal() },
  'unplug HOST': { purpose: 'pulls its cable', run: ({ lab }, words) => lab.plug(words.host(), false) },
  'plug HOST': { purpose: 'puts it back', run: ({ lab }, words) => lab.plug(words.host(), true) },
  'kill HOST': {
    purpose: 'ends its agent by SIGKILL',
    run: (playground, words) => playground.kill(words.host()),
  },
  'stop HOST': {
    purpose: 'ends its agent by SIGTERM',
    run: (playground, words) => playground.stop(words.host()),
  },
  'start HOST': { purpose: 'starts it again', run: (playground, words) => playground.start(words.host()) },
}

/** The commands, one a line. */
export const COMMAND_USAGE: string = Object.entries(COMMANDS)
  .map(([usage, { purpose }]) => `  ${usage.padEnd(36)}${purpose}`)
  .join('\n')

/** Does what the words say; resolves with what to print. Rejects with a sentence for the user. */
export async function perform(playground: Playground, words: readonly string[]): Promise<string> {
  const [name, ...rest] = words
  const [usage, command] = Object.entries(COMMANDS).find(([usage]) => usage.split(' ')[0] === name) ?? []
  if (usage === undefined || command === undefined) {
    throw new Error(`unknown command ${JSON.stringify(name ?? '')}; there are:\n${COMMAND_USAGE}`)
  }
  const reader = new Words(playground.lab, usage, rest)
  const result = await command.run(playground, reader)
  return typeof result === 'string' ? result : 'done'
}

/** The namespace of a host or a container, by its name; `h1/c2` is `c2`, wherever it is by now. */
export function namespaceOf(lab: Lab, name: string): string {
  const last = name.split('/').at(-1) ?? ''
  const all: readonly (LabHost | LabContainer)[] = [...lab.hosts, ...lab.containers]
  const found = all.find((candidate) => candidate.name === last)
  if (found === undefined) throw new Error(`there is no host or container ${last} in this lab`)
  return found.namespace
}

/** Hosts, their agents and their containers, for a reader. */
export function overview(playground: Playground): string {
  const { hosts, cuts } = playground.lab
  const lines = hosts.flatMap((host) => {
    const agent = playground.agent(host)
    const state = agent.isRunning ? `agent ${agent.pid}, ${agent.socketPath}` : 'no agent'
    return [
      `${host.name}  ${host.vtep}  ${state}`,
      ...host.containers.map((each) => `    ${line(each)}${playground.isAttached(each) ? '' : '  detached'}`),
    ]
  })
  return [...lines, ...cuts.map(([from, to]) => `nothing gets from ${from} to ${to}`)].join('\n')
}

function line({ name, ips, mac }: LabContainer): string {
  return `${name}  ${ips.join('  ')}  ${mac}`
}

/** The words behind a command, taken one by one. */
class Words {
  readonly #lab: Lab
  readonly #usage: string
  readonly #words: string[]

  constructor(lab: Lab, usage: string, words: readonly string[]) {
    this.#lab = lab
    this.#usage = usage
    this.#words = [...words]
  }

  host(): LabHost {
    return this.#lab.host(this.#next())
  }

  container(): LabContainer {
    return this.#lab.container(this.#next().split('/').at(-1) ?? '')
  }

  /** All that is left. */
  groups(): LabHost[][] {
    const first = this.#next()
    return [first, ...this.#words.splice(0)].map((names) =>
      names.split(',').map((name) => this.#lab.host(name)),
    )
  }

  #next(): string {
    const word = this.#words.shift()
    if (word === undefined) throw new Error(`usage: ${this.#usage}`)
    return word
  }
}
