import { describe, expect, it } from 'vitest'
import { CrashDetected } from '../../sim/invariants/crash-detected.ts'
import { DeletionsLast } from '../../sim/invariants/deletions-last.ts'
import { EqualState } from '../../sim/invariants/equal-state.ts'
import { EventsAgree } from '../../sim/invariants/events-agree.ts'
import type { Followed } from '../../sim/invariants/followed.ts'
import { LiveNotFailed } from '../../sim/invariants/live-not-failed.ts'
import { NetworkScope } from '../../sim/invariants/network-scope.ts'
import { NoException } from '../../sim/invariants/no-exception.ts'
import { PrecedenceRises } from '../../sim/invariants/precedence-rises.ts'
import { WatchReplays } from '../../sim/invariants/watch-replays.ts'
import { WithinBounds } from '../../sim/invariants/within-bounds.ts'
import { Invariants } from '../../sim/invariants.ts'
import { Observer } from '../../sim/observer.ts'
import type { JoinedNetwork } from '../../sim/scenario.ts'
import { Simulation } from '../../sim/simulation.ts'
import type { Cluster } from '../../src/cluster.ts'
import type { MemberSnapshot } from '../../src/events.ts'
import type { Network } from '../../src/network-state/network.ts'
import type { Change, Owned } from '../../src/network-state/watch.ts'
import { MAX_SESSIONS } from '../../src/security/replay-window.ts'

type Claims = Readonly<Record<string, readonly (Owned<unknown> & { readonly hidden?: boolean })[]>>

async function pair(keys: readonly Uint8Array[] = []): Promise<Simulation> {
  const sim = new Simulation()
  for (const name of ['a', 'b']) await sim.start(name, { keys, insecure: keys.length === 0 })
  await sim.until(() => sim.nodes.every((name) => sim.cluster(name).members().length === 2), 10_000)
  return sim
}

function all(found: Iterable<string> | undefined): string {
  return [...(found ?? [])].join('\n')
}

/** A network that shows what a test wants: the first claim of each key is the winner. */
function network(claims: Claims, participants: readonly string[] = ['a', 'b']): Network {
  const table = {
    *entries() {
      for (const [key, [winner]] of Object.entries(claims)) if (winner) yield [key, winner]
    },
    claims: (key: string) => claims[key],
  }
  return { participants: () => participants, table: () => table } as unknown as Network
}

function followed(entries: readonly (readonly [string, Owned<unknown>])[] = []): Followed {
  const table = { entries: () => entries }
  const at = { node: 'x', label: 'table "t" of "n" at x', network: { name: 'n' } }
  return { ...at, ended: false, slow: false, table } as unknown as Followed
}

function set(key: string, value: unknown, owner: string, previous?: Owned<unknown>): Change<unknown> {
  return previous === undefined
    ? { type: 'set', key, value, owner }
    : { type: 'set', key, value, owner, previous }
}

function deleted(key: string, value: unknown, owner: string): Change<unknown> {
  return { type: 'delete', key, previous: { value, owner }, reason: 'deleted' }
}

describe('LiveNotFailed', () => {
  it('finds a live member that is taken for failed, unless it cannot be reached', async () => {
    const sim = await pair()
    const invariant = new LiveNotFailed(sim)
    expect(all(invariant.atEnd())).toBe('')
    const heal = sim.partition(['a'], ['b'])
    await sim.until(() => sim.cluster('a').member('b')?.status === 'failed', 120_000)
    expect(all(invariant.atEnd())).toBe('')
    heal()
    expect(all(invariant.atEnd())).toContain('a takes b for failed')
  })
})

describe('CrashDetected', () => {
  it('finds a crashed member that is still taken for alive in the end', async () => {
    const sim = await pair()
    sim.crash('b')
    expect(all(new CrashDetected(sim, 60_000).atEnd())).toBe('a takes the dead b for alive')
  })

  /** One survivor that never notices, and what may excuse it. */
  async function unnoticed(trouble: (sim: Simulation) => void): Promise<string> {
    const sim = await pair()
    const invariant = new CrashDetected(sim, 500)
    invariant.started('a')
    invariant.started('b')
    await sim.advance(1000)
    sim.crash('b')
    invariant.stopped('b')
    await sim.advance(300)
    trouble(sim)
    expect(all(invariant.during())).toBe('')
    await sim.advance(300)
    return all(invariant.during())
  }

  it('finds one that goes unnoticed for longer than the bound', async () => {
    expect(await unnoticed(() => {})).toBe('a takes the dead b for alive after 600 ms')
  })

  it('gives a survivor time that was paused, cut off or lost packets', async () => {
    expect(await unnoticed((sim) => sim.pause('a', 50))).toBe('')
    expect(await unnoticed((sim) => sim.setLoss('a', { ingress: 0.5 }))).toBe('')
    expect(await unnoticed((sim) => void sim.partition(['a'], ['b']))).toBe('')
  })
})

describe('PrecedenceRises', () => {
  type Look = (member: Partial<MemberSnapshot>) => void

  function watched(): {
    invariant: PrecedenceRises
    say: Look
    show: (member: Partial<MemberSnapshot>) => void
  } {
    const sim = new Simulation()
    sim.world.host('b')
    const listeners: Look[] = []
    let shown: Partial<MemberSnapshot>[] = []
    const cluster = { on: (_: string, look: Look) => listeners.push(look), members: () => shown }
    const invariant = new PrecedenceRises(sim)
    invariant.started('a', cluster as unknown as Cluster)
    return {
      invariant,
      say: (member) => listeners[0]!({ name: 'b', ...member }),
      show: (member) => {
        shown = [{ name: 'b', ...member }]
      },
    }
  }
  const early = { time: 1000, nonce: 5 }
  const late = { time: 1000, nonce: 6 }

  it('takes what rises: an incarnation, or an epoch whatever its incarnation', () => {
    const { invariant, say, show } = watched()
    say({ epoch: early, incarnation: 1 })
    say({ epoch: early, incarnation: 1 })
    say({ epoch: early, incarnation: 4 })
    show({ epoch: late, incarnation: 0 })
    expect(all(invariant.during(['a']))).toBe('')
  })

  it('finds an incarnation or an epoch that falls, in an event or in what is shown', () => {
    const { invariant, say, show } = watched()
    say({ epoch: late, incarnation: 1 })
    say({ epoch: late, incarnation: 0 })
    expect(all(invariant.during([]))).toContain('a held b at (1000.6, 1), and at 0 ms at (1000.6, 0)')
    show({ epoch: early, incarnation: 9 })
    expect(all(invariant.during(['a']))).toContain('(1000.5, 9)')
  })

  it('finds a member that left and is back at the same incarnation', () => {
    const { invariant, say } = watched()
    say({ epoch: early, incarnation: 1, status: 'failed' })
    say({ epoch: early, incarnation: 1, status: 'left' })
    expect(all(invariant.during([]))).toBe('')
    say({ epoch: early, incarnation: 1, status: 'alive' })
    expect(all(invariant.during([]))).toContain('(1000.5, 1, left), and at 0 ms at (1000.5, 1)')
  })

  it('takes events that come late, as the node stood still', async () => {
    const sim = await pair()
    const invariant = new PrecedenceRises(sim)
    const cluster = sim.cluster('a')
    invariant.started('a', cluster)
    sim.pause('a', 1000)
    for (const byte of [1, 2]) cluster.setMetadata(new Uint8Array([byte]))
    await sim.advance(500)
    expect(all(invariant.during(['a']))).toBe('')
    await sim.advance(1000)
    expect(all(invariant.during(['a']))).toBe('')
  })

  it('lets a node that starts anew begin anew', () => {
    const { invariant, say } = watched()
    say({ epoch: late, incarnation: 1 })
    invariant.stopped('a')
    say({ epoch: early, incarnation: 0 })
    expect(all(invariant.atEnd())).toBe('')
  })
})

describe('EqualState', () => {
  async function compare(a: Network, b: Network): Promise<string> {
    const members = new Map([
      ['a', a],
      ['b', b],
    ])
    const networks: JoinedNetwork[] = [{ name: 'blue', tables: ['peers'], members }]
    return all(new EqualState(await pair(), networks).atEnd())
  }
  const x = { value: new Uint8Array([1]), owner: 'a' }
  const y = { value: { port: 1 }, owner: 'b' }

  it('leaves out nodes that need not agree', async () => {
    const members = new Map([
      ['a', network({ x: [x] })],
      ['b', network({ y: [y] })],
    ])
    const networks: JoinedNetwork[] = [{ name: 'blue', tables: ['peers'], members }]
    expect(all(new EqualState(await pair(), networks, ['a']).atEnd())).toBe('')
  })

  it('takes equal tables in whatever order they come, and leaves hidden claims out', async () => {
    expect(await compare(network({ x: [x], y: [y] }), network({ y: [y], x: [x] }))).toBe('')
    expect(await compare(network({ x: [x, { ...y, hidden: true }] }), network({ x: [x] }))).toBe('')
  })

  it('finds tables that differ in a key, a value, a winner or another claim, and other participants', async () => {
    const same = network({ x: [x] })
    const different: Network[] = [
      network({ x: [x], y: [y] }),
      network({ z: [x] }),
      network({ x: [{ ...x, value: new Uint8Array([2]) }] }),
      network({ x: [{ ...x, owner: 'b' }] }),
      network({ x: [x, { ...y, hidden: false }] }),
      network({ x: [x] }, ['a']),
    ]
    for (const other of different)
      expect(await compare(same, other)).toContain('network "blue" has different contents')
  })
})

describe('DeletionsLast', () => {
  it('finds a value that comes back after its owner had deleted or replaced it', () => {
    const invariant = new DeletionsLast(new Simulation())
    const at = followed()
    expect(all(invariant.changed(at, set('k', 1, 'a')))).toBe('')
    expect(all(invariant.changed(at, deleted('k', 1, 'a')))).toBe('')
    expect(all(invariant.changed(at, set('k', 2, 'a')))).toBe('')
    expect(all(invariant.changed(at, set('k', 3, 'a', { value: 2, owner: 'a' })))).toBe('')
    expect(all(invariant.changed(at, set('k', 1, 'a')))).toContain('a had deleted or replaced a value of "k"')
    expect(all(invariant.changed(at, set('k', 2, 'a')))).toContain('a had deleted or replaced a value of "k"')
  })

  it('takes a claim that shows again when another owner gives his up, and what was hidden', () => {
    const invariant = new DeletionsLast(new Simulation())
    const at = followed()
    const hidden: Change<unknown> = { ...deleted('k', 1, 'a'), reason: 'failed' } as Change<unknown>
    const changes = [
      set('k', 1, 'a'),
      set('k', 2, 'b', { value: 1, owner: 'a' }),
      set('k', 1, 'a', { value: 2, owner: 'b' }),
      hidden,
      set('k', 1, 'a'),
    ]
    for (const change of changes) expect(all(invariant.changed(at, change))).toBe('')
  })

  it('lets an owner that started anew, and a node that had not heard, say it again', () => {
    const sim = new Simulation()
    const invariant = new DeletionsLast(sim)
    const at = followed()
    all(invariant.changed(at, deleted('k', 1, 'a')))
    expect(all(invariant.changed(followed(), set('k', 1, 'a')))).toBe('')
    sim.world.host('a').boot()
    expect(all(invariant.changed(at, set('k', 1, 'a')))).toBe('')
  })

  it('lets an owner say again what the workload lets it', () => {
    const invariant = new DeletionsLast(new Simulation(), (name, owner, value) => {
      return name === 'n' && owner === 'a' && value === 1
    })
    const at = followed()
    for (const value of [1, 2]) all(invariant.changed(at, deleted('k', value, 'a')))
    expect(all(invariant.changed(at, set('k', 1, 'a')))).toBe('')
    expect(all(invariant.changed(at, set('k', 2, 'a')))).toContain('it is back')
  })
})

describe('WatchReplays', () => {
  const entry = { value: 2, owner: 'b' }

  /** A watch at a node that runs, which gives these changes. */
  function watch(at: Followed, changes: readonly Change<unknown>[] = []): WatchReplays {
    const sim = new Simulation()
    sim.world.host('x').boot()
    const invariant = new WatchReplays(sim)
    invariant.followed(at)
    for (const change of changes) expect(all(invariant.changed(at, change))).toBe('')
    return invariant
  }

  it('takes changes that give exactly the table', () => {
    const invariant = watch(followed([['k', entry]]), [
      set('k', 1, 'a'),
      set('gone', 1, 'a'),
      set('k', 2, 'b', { value: 1, owner: 'a' }),
      deleted('gone', 1, 'a'),
    ])
    expect(all(invariant.during())).toBe('')
    expect(all(invariant.during())).toBe('')
    expect(all(invariant.atEnd())).toBe('')
  })

  it('finds a `previous` that was never given', () => {
    const at = followed()
    const invariant = watch(at)
    expect(all(invariant.changed(at, set('k', 1, 'a', entry)))).toContain('had given nothing')
    expect(all(invariant.changed(at, set('k', 2, 'a')))).toContain('said of "k" that nothing was there')
    expect(all(invariant.changed(at, deleted('k', 3, 'a')))).not.toBe('')
  })

  it.each<[string, Change<unknown>[]]>([
    ['any at all', []],
    ['a set', [set('first', 0, 'a'), deleted('first', 0, 'a')]],
    ['another value', [set('k', 1, 'b')]],
    ['a delete', [set('k', 2, 'b'), set('more', 1, 'a')]],
  ])('finds a change that never came: %s; at once in the end, else at the second check', (_, changes) => {
    const invariant = watch(followed([['k', entry]]), changes)
    expect(all(invariant.during())).toBe('')
    expect(all(invariant.during())).not.toBe('')
    expect(all(invariant.atEnd())).not.toBe('')
  })

  it('lets a watch be behind that is slow, or whose node stands still', async () => {
    const slow = { ...followed([['k', entry]]), slow: true } as Followed
    const invariant = watch(slow)
    expect(all([...invariant.during(), ...invariant.during(), ...invariant.atEnd()])).toBe('')
    const sim = await pair()
    const paused = new WatchReplays(sim)
    paused.followed({ ...followed([['k', entry]]), node: 'a' } as Followed)
    sim.pause('a', 1000)
    expect(all([...paused.during(), ...paused.during()])).toBe('')
    await sim.advance(1500)
    expect(all([...paused.during(), ...paused.during()])).not.toBe('')
  })
})

describe('NetworkScope', () => {
  it('finds the marker of a network in what others are given, wherever it stands', () => {
    const sim = new Simulation()
    const marker = new Uint8Array([7, 7, 9])
    const insiders = new Set(['in'])
    const networks: JoinedNetwork[] = [{ name: 'blue', tables: [], members: new Map(), insiders, marker }]
    const invariant = new NetworkScope(sim, networks)
    const give = (node: string, ...bytes: number[]): string => {
      sim.world.tap!(sim.world.host(node), new Uint8Array(bytes))
      return all(invariant.during())
    }
    expect(give('in', 7, 7, 9)).toBe('')
    expect(give('out', 7, 7, 8, 7, 9)).toBe('')
    expect(give('out', 1, 7, 7)).toBe('')
    expect(give('out', 7, 7, 7, 9, 1)).toContain('out was given an entry of "blue"')
    expect(give('out', 7, 7, 9)).toContain('out was given an entry of "blue"')
  })

  it('sees real packets and streams', async () => {
    const sim = await pair()
    const marker = new TextEncoder().encode('a marker')
    const seen = new Set<string>()
    sim.world.tap = (to, bytes) => {
      if (new TextDecoder().decode(bytes).includes('a marker')) seen.add(to.name)
    }
    const networks: JoinedNetwork[] = [
      { name: 'blue', tables: [], members: new Map(), insiders: new Set(['a']), marker },
    ]
    const invariant = new NetworkScope(sim, networks)
    // Metadata goes to everyone: here they stand for entries that leak.
    sim.cluster('a').setMetadata(marker)
    await sim.until(() => seen.has('b'), 10_000)
    expect(all(invariant.atEnd())).toContain('b was given an entry of "blue"')
  })
})

describe('WithinBounds', () => {
  const healthy = {
    'members.known': 2,
    'members.queue': 0,
    'entries.queue': 0,
    'entries.parkedNow': 0,
    'entries.logs': 4,
    'traffic.streamsOpen': 0,
    'traffic.sessions': 0,
  }

  /** One of two nodes, in one network. */
  function node(metrics: Readonly<Record<string, number>>): WithinBounds {
    const sim = { now: 0, world: { hosts: ['a', 'b'] }, cluster: () => ({ metrics: () => metrics }) }
    return new WithinBounds(sim as unknown as Simulation, () => 1)
  }

  it('takes what is full', () => {
    const full = { 'members.queue': 2, 'entries.parkedNow': 512, 'traffic.sessions': MAX_SESSIONS }
    expect(all(node({ ...healthy, ...full }).during(['a']))).toBe('')
  })

  it.each([
    ['members.known', 3],
    ['members.queue', 3],
    ['entries.queue', 32_769],
    ['entries.parkedNow', 513],
    ['entries.logs', 5],
    ['traffic.streamsOpen', 5000],
    ['traffic.sessions', MAX_SESSIONS + 1],
  ])('finds what is more than full: %s', (name, value) => {
    expect(all(node({ ...healthy, [name]: value }).during(['a']))).toContain(`${name} of a is ${value}`)
  })

  it('finds what is not told', () => {
    expect(all(node({}).during(['a']))).toContain('a does not say what its members.queue is')
  })

  it('knows the metrics of real nodes, the sessions of sealed ones included', async () => {
    for (const keys of [[], [new Uint8Array(32).fill(1)]]) {
      const sim = await pair(keys)
      await sim.advance(3000)
      expect(sim.cluster('a').metrics()['traffic.sessions']).toBe(keys.length)
      expect(all(new WithinBounds(sim, () => 0).during(['a', 'b']))).toBe('')
    }
  })
})

describe('NoException', () => {
  it('finds exceptions of timers, each once', async () => {
    const sim = await pair()
    const invariant = new NoException(sim)
    sim.world.host('a').process!.setTimer(1, () => {
      throw new Error('from a timer')
    })
    await sim.advance(5)
    expect(all(invariant.during())).toMatch(/^a at .*from a timer/)
    expect(all(invariant.atEnd())).toBe('')
  })
})

describe('EventsAgree', () => {
  it('finds events that tell another story than the snapshots', async () => {
    const sim = await pair()
    expect(all(new EventsAgree(sim, new Observer(sim, 2)).atEnd())).toContain(
      'a told of b as undefined, and shows it as alive',
    )
  })
})

describe('Invariants', () => {
  it('hold for a healthy cluster whose members share a table, and are counted', async () => {
    const sim = await pair()
    const joining = ['a', 'b'].map((name) => sim.cluster(name).joinNetwork('blue'))
    await sim.advance(11_000)
    const [a, b] = await Promise.all(joining)
    const members = new Map([
      ['a', a!],
      ['b', b!],
    ])
    const invariants = new Invariants(sim, { networks: [{ name: 'blue', tables: ['peers'], members }] })
    invariants.begin()
    await sim.advance(1500)
    a!.table('peers').set('k', 1)
    b!.table('peers').set('k', 2)
    await sim.advance(5000)
    b!.table('peers').delete('k')
    await sim.advance(5000)
    expect(invariants.finish()).toEqual({ checked: 9, violations: [] })
  })

  it('look at nodes and tables while the run goes on, not just in the end', async () => {
    const sim = await pair()
    const members = new Map([['a', await joined(sim, 'a')]])
    const invariants = new Invariants(sim, { networks: [{ name: 'blue', tables: ['peers'], members }] })
    invariants.begin()
    await sim.advance(1500)
    const table = members.get('a')!.table('peers')
    for (const value of [1, 2, 1]) {
      table.set('k', value)
      await sim.advance(1500)
    }
    expect(invariants.violations.join()).toContain('what its owner deleted never comes back')
  })

  it('follow nodes that stop and start anew', async () => {
    const sim = await pair()
    const invariants = new Invariants(sim, { detectionBoundMs: 1000 })
    invariants.check()
    await sim.advance(1500)
    sim.crash('b')
    invariants.check()
    await sim.advance(1100)
    invariants.check()
    expect(invariants.violations).toEqual([
      expect.stringMatching(/^a crashed member is failed at every survivor: a takes the dead b/),
    ])
  })

  it('name a few of many', async () => {
    const sim = await pair()
    for (let i = 0; i < 9; i++) sim.world.fault('a', `fault ${i}`)
    const { violations } = new Invariants(sim).finish()
    expect(violations).toHaveLength(6)
    expect(violations.at(-1)).toBe('no exception reaches the runtime: ... and 4 more')
  })

  it('change nothing: a run that is checked has the same trace as one that is not', async () => {
    const trace = async (checked: boolean): Promise<string> => {
      const sim = await pair()
      const members = new Map([['a', await joined(sim, 'a')]])
      const networks = [{ name: 'blue', tables: ['peers'], members }]
      members.get('a')!.table('peers')
      if (checked) new Invariants(sim, { networks }).begin()
      await sim.advance(3000)
      members.get('a')!.table('peers').set('k', 1)
      await sim.advance(5000)
      return sim.traceHash
    }
    expect(await trace(true)).toBe(await trace(false))
  })
})

async function joined(sim: Simulation, name: string): Promise<Network> {
  const joining = sim.cluster(name).joinNetwork('blue')
  await sim.advance(11_000)
  return joining
}
