import fc from 'fast-check'
import { expect } from 'vitest'
import { type Claimed, Hosts, namesOf, networksOf } from './hosts.ts'

/** What may befall hosts. Numbers are taken modulo what there is: hosts, networks, keys. */
export type Step =
  | { readonly do: 'set' | 'delete'; readonly host: number; readonly network: number; readonly key: number }
  | {
      readonly do: 'replaceOwn'
      readonly host: number
      readonly network: number
      readonly keys: readonly number[]
    }
  | { readonly do: 'join' | 'leave' | 'rejoin'; readonly host: number; readonly network: number }
  | { readonly do: 'crash' | 'kill' | 'depart' | 'return' | 'stall' | 'cut off'; readonly host: number }
  | { readonly do: 'heal' }
  | { readonly do: 'wait'; readonly ms: number }

export interface World {
  readonly seed: number
  readonly hosts: number
  readonly networks: number
  /** Share of packets that each host loses until the end. */
  readonly loss: number
}

/** Least and most of each. */
export function worldOf(bounds: {
  readonly hosts: readonly [number, number]
  readonly networks: readonly [number, number]
}): fc.Arbitrary<World> {
  const between = ([min, max]: readonly [number, number]): fc.Arbitrary<number> => fc.integer({ min, max })
  return fc.record({
    seed: fc.nat(),
    hosts: between(bounds.hosts),
    networks: between(bounds.networks),
    loss: fc.constantFrom(0, 0, 0.1),
  })
}

/** Lets the steps befall a world, one after the other, and then asks whether all comes right. */
export async function endsRight(world: World, steps: readonly Step[]): Promise<void> {
  const story = await Story.begin(world)
  for (const step of steps) await story.take(step)
  await story.endsRight()
}

const KEYS = 6

const any = fc.nat(1000)
const wait: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('wait' as const),
  ms: fc.oneof(fc.nat(30), fc.nat(500), fc.nat(15_000)),
})
const write: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
    host: any,
    network: any,
    key: any,
  }),
  fc.record({
    do: fc.constant('replaceOwn' as const),
    host: any,
    network: any,
    keys: fc.array(any, { maxLength: 4 }),
  }),
)
const participate: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('join' as const, 'leave' as const, 'rejoin' as const),
  host: any,
  network: any,
})
const fault: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom(
      'crash' as const,
      'kill' as const,
      'depart' as const,
      'return' as const,
      'return' as const,
      'stall' as const,
      'cut off' as const,
    ),
    host: any,
  }),
  fc.record({ do: fc.constant('heal' as const) }),
)

/** Hosts that never fail, and come to networks, go, and write there, in any order and as fast as can be. */
export const coming: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: participate },
    { weight: 3, arbitrary: write },
    { weight: 2, arbitrary: wait },
  ),
  { maxLength: 40 },
)

/** Everything that there is. */
export const anything: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: participate },
    { weight: 5, arbitrary: write },
    { weight: 2, arbitrary: fault },
    { weight: 3, arbitrary: wait },
  ),
  { maxLength: 60 },
)

/** After so much quiet everything has come right, and it stays so, also once what was inherited has expired. */
const QUIET_MS = 10_000
const CALM_MS = 150_000

/** By key, what one owner has in one network. */
type Entries = Map<string, string>

/** Lets steps befall hosts, and knows what each of them owns where. */
class Story {
  readonly hosts: Hosts
  readonly #names: readonly string[]
  readonly #networks: readonly string[]
  readonly #loss: number
  /** By host, then network: there as long as the host takes part. */
  readonly #own = new Map<string, Map<string, Entries>>()
  #written = 0

  private constructor({ seed, hosts, networks, loss }: World) {
    this.hosts = new Hosts(seed)
    this.#names = namesOf(hosts)
    this.#networks = networksOf(networks)
    this.#loss = loss
  }

  /** All hosts run; each but the first takes part in all networks at once. */
  static async begin(world: World): Promise<Story> {
    const story = new Story(world)
    for (const name of story.#names) await story.#start(name)
    for (const network of story.#networks) {
      for (const name of story.#names.slice(1)) await story.#join(name, network)
    }
    return story
  }

  async take(step: Step): Promise<void> {
    const { sim } = this.hosts
    if (step.do === 'wait') return sim.advance(step.ms)
    if (step.do === 'heal') return sim.heal()
    const name = this.#names[step.host % this.#names.length]!
    const runs = sim.nodes.includes(name)
    if (step.do === 'return') return runs ? undefined : this.#start(name)
    if (!runs) return
    if (!('network' in step)) return this.#befall(step.do, name)
    const network = this.#networks[step.network % this.#networks.length]!
    const own = this.#own.get(name)!.get(network)
    if (step.do === 'join') return this.#join(name, network)
    if (own === undefined) return
    const table = this.hosts.table(name, network)
    switch (step.do) {
      case 'set': {
        const value = this.#value()
        table.set(keyOf(step.key), value)
        own.set(keyOf(step.key), value)
        return
      }
      case 'delete':
        expect(table.delete(keyOf(step.key))).toBe(own.delete(keyOf(step.key)))
        return
      case 'replaceOwn': {
        const entries = step.keys.map((key) => [keyOf(key), this.#value()] as const)
        table.replaceOwn(entries)
        this.#own.get(name)!.set(network, new Map(entries))
        return
      }
      default:
        await sim.settled(this.hosts.node(name).network(network).leave())
        this.#own.get(name)!.delete(network)
        if (step.do === 'rejoin') await this.#join(name, network)
    }
  }

  /** In the end everyone who takes part in a network knows all others there, and exactly what they own. */
  async endsRight(): Promise<void> {
    this.hosts.sim.heal()
    for (const name of this.#names) this.hosts.sim.setLoss(name, {})
    await this.hosts.sim.advance(QUIET_MS)
    this.#isRight()
    await this.hosts.sim.advance(CALM_MS)
    this.#isRight()
  }

  #isRight(): void {
    expect(this.hosts.sim.faults).toEqual([])
    for (const network of this.#networks) {
      const inside = this.hosts.sim.nodes.filter((name) => this.#own.get(name)!.has(network)).sort()
      const expected = this.#claimsIn(network, inside)
      const winners = new Set<string>()
      for (const name of inside) {
        // Whom nobody answers withdraws nothing: for all it knows, the others live.
        if (this.hosts.node(name).isolated) {
          expect(this.hosts.sim.nodes).toEqual([name])
          continue
        }
        const at = `${name} in ${network}`
        expect({ [at]: this.hosts.node(name).network(network).participants() }).toEqual({ [at]: inside })
        expect({ [at]: this.hosts.claimed(name, network) }).toEqual({ [at]: expected })
        winners.add(JSON.stringify(this.hosts.shown(name, network)))
      }
      expect(winners.size, `views of ${network}: ${[...winners].join()}`).toBeLessThanOrEqual(1)
    }
  }

  async #befall(what: 'crash' | 'kill' | 'depart' | 'stall' | 'cut off', name: string): Promise<void> {
    const { sim } = this.hosts
    switch (what) {
      case 'crash':
        return sim.crash(name)
      case 'kill':
        return sim.kill(name)
      case 'depart': {
        const leaving = this.hosts.node(name).leave()
        await sim.settled(leaving)
        return sim.kill(name)
      }
      case 'stall':
        return sim.pause(name, 4_000)
      case 'cut off':
        sim.partition(
          [name],
          this.#names.filter((other) => other !== name),
        )
    }
  }

  async #start(name: string): Promise<void> {
    await this.hosts.start(name)
    this.hosts.sim.setLoss(name, { egress: this.#loss })
    this.#own.set(name, new Map())
  }

  async #join(name: string, network: string): Promise<void> {
    const own = this.#own.get(name)!
    if (own.has(network)) return
    await this.hosts.sim.settled(this.hosts.node(name).joinNetwork(network))
    own.set(network, new Map())
  }

  #claimsIn(network: string, inside: readonly string[]): Claimed {
    const claims: Record<string, Record<string, string>> = {}
    for (const name of inside) {
      for (const [key, value] of this.#own.get(name)!.get(network)!)
        claims[key] = { ...claims[key], [name]: value }
    }
    return claims
  }

  /** Never the same twice. */
  #value(): string {
    return `v${++this.#written}`
  }
}

function keyOf(index: number): string {
  return `k${index % KEYS}`
}
