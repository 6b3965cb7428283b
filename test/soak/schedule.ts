import type { Random } from '../../sim/random.ts'

/** What somebody does to the rows of one host behind the back of its agent. Each takes one victim, a container. */
export const TAMPERINGS = [
  'fdb-falsified',
  'fdb-deleted',
  'fdb-invented',
  'neighbour-falsified',
  'neighbour-deleted',
  'neighbour-invented',
  'port-deleted',
  'device-down',
  'device-deleted',
] as const

export type Tampering = (typeof TAMPERINGS)[number]

/** Hosts and containers are named as in the lab: h1..., c1... */
export type Step =
  | { readonly do: 'attach' | 'detach'; readonly container: string }
  | { readonly do: 'move'; readonly container: string; readonly host: string }
  | { readonly do: 'kill' | 'start' | 'unplug' | 'plug'; readonly host: string }
  | { readonly do: 'partition'; readonly group: readonly string[] }
  | { readonly do: 'cut'; readonly from: string; readonly to: string }
  | { readonly do: 'heal' }
  | {
      readonly do: 'tamper'
      readonly how: Tampering
      readonly host: string
      readonly container: string
      readonly other: string
    }
  | { readonly do: 'wait'; readonly ms: number }

/** Where each container is, whether its host has been told so, and which agents run: all that steps depend on. */
export interface Model {
  readonly hosts: readonly string[]
  readonly containers: ReadonlyMap<string, { readonly host: string; readonly isAttached: boolean }>
  readonly dead: ReadonlySet<string>
  readonly unplugged: ReadonlySet<string>
}

export function startOf(hosts: readonly string[], placed: ReadonlyMap<string, string>): Model {
  const containers = [...placed].map(([name, host]) => [name, { host, isAttached: true }] as const)
  return { hosts, containers: new Map(containers), dead: new Set(), unplugged: new Set() }
}

/** The model once a step is done. */
export function after(model: Model, step: Step): Model {
  const containers = new Map(model.containers)
  const dead = new Set(model.dead)
  const unplugged = new Set(model.unplugged)
  switch (step.do) {
    case 'attach':
    case 'detach':
      containers.set(step.container, { ...placeOf(model, step.container), isAttached: step.do === 'attach' })
      break
    case 'move':
      containers.set(step.container, { ...placeOf(model, step.container), host: step.host })
      break
    case 'kill':
      dead.add(step.host)
      break
    case 'start':
      dead.delete(step.host)
      break
    case 'unplug':
      unplugged.add(step.host)
      break
    case 'plug':
      unplugged.delete(step.host)
      break
  }
  return { hosts: model.hosts, containers, dead, unplugged }
}

/** Random steps, and then those after which everything is whole again. The same stream gives the same steps. */
export function drawSchedule(start: Model, stepCount: number, random: Random): Step[] {
  const steps: Step[] = []
  let model = start
  const take = (step: Step): void => {
    steps.push(step)
    model = after(model, step)
  }
  while (steps.length < stepCount) {
    const step = draw(model, random)
    if (step !== undefined) take(step)
  }
  take({ do: 'heal' })
  for (const host of model.unplugged) take({ do: 'plug', host })
  for (const host of model.dead) take({ do: 'start', host })
  return steps
}

/** How often each kind of step is drawn, relative to the others. */
const KINDS: readonly Step['do'][] = [
  ...repeated('move', 6),
  ...repeated('tamper', 6),
  ...repeated('attach', 4),
  ...repeated('detach', 3),
  ...repeated('wait', 4),
  ...repeated('kill', 2),
  ...repeated('start', 2),
  ...repeated('partition', 2),
  ...repeated('cut', 2),
  ...repeated('heal', 1),
  ...repeated('unplug', 1),
  ...repeated('plug', 1),
]

/** Undefined where the kind that was drawn is impossible now. */
function draw(model: Model, random: Random): Step | undefined {
  const { hosts, containers, dead, unplugged } = model
  const host = random.pick(hosts)
  const other = random.pick(hosts.filter((each) => each !== host))
  const container = random.pick([...containers.keys()])
  const place = placeOf(model, container)
  const isTold = !dead.has(place.host)
  const kind = random.pick(KINDS)
  switch (kind) {
    case 'attach':
      return isTold && !place.isAttached ? { do: kind, container } : undefined
    case 'detach':
      return isTold && place.isAttached ? { do: kind, container } : undefined
    case 'move':
      return !dead.has(host) && place.host !== host ? { do: kind, container, host } : undefined
    case 'kill':
      return dead.has(host) ? undefined : { do: kind, host }
    case 'start':
      return dead.has(host) ? { do: kind, host } : undefined
    case 'unplug':
      return unplugged.has(host) ? undefined : { do: kind, host }
    case 'plug':
      return unplugged.has(host) ? { do: kind, host } : undefined
    case 'partition':
      return { do: kind, group: random.sample(hosts, 1 + random.int(hosts.length - 1)).sort() }
    case 'cut':
      return { do: kind, from: host, to: other }
    case 'heal':
      return { do: kind }
    case 'tamper':
      return { do: kind, how: random.pick(TAMPERINGS), host, container, other }
    case 'wait':
      // Sometimes long enough for somebody to be found failed.
      return { do: kind, ms: random.chance(0.3) ? 1_000 + random.int(2_000) : random.int(300) }
  }
}

function placeOf({ containers }: Model, name: string): { host: string; isAttached: boolean } {
  const place = containers.get(name)
  if (place === undefined) throw new Error(`the model knows no container ${name}`)
  return place
}

function repeated<const T>(value: T, count: number): T[] {
  return Array.from({ length: count }, () => value)
}

/** One line for people. */
export function told({ do: verb, ...operands }: Step): string {
  return [verb, ...Object.values(operands).map(String)].join(' ')
}
