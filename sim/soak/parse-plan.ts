import { type ClusterOptions, resolveOptions } from '../../src/options.ts'
import {
  type Check,
  distinct,
  type Fields,
  faultOf,
  faultOfKind,
  flag,
  isObject,
  list,
  number,
  oneOf,
  whole,
} from '../fields.ts'
import { parseSchedule, time } from '../schedule.ts'
import { LIVENESS_MS, type SoakPlan } from './plan.ts'

const MAX_NODES = 200
const MAX_NETWORKS = 16
const MAX_ENTRIES = 1000
const MAX_CHURN = 100_000
/** Longer than the library takes: a plan may try that. */
const MAX_KEY_LENGTH = 1000

const share = number(0, 1)
const finite = number(-Number.MAX_VALUE, Number.MAX_VALUE)
const name: Check = (value) => typeof value === 'string' && /^[\w.-]{1,63}$/.test(value)
const key: Check = (value) => typeof value === 'string' && value.length <= MAX_KEY_LENGTH
const entry: Check = (value) =>
  Array.isArray(value) && value.length === 2 && key(value[0]) && finite(value[1])

const NETWORK: Fields = {
  loss: share,
  duplication: share,
  reordering: share,
  corruption: share,
  streamBreaks: share,
  latencyMs: number(0, 10_000),
  latencySigma: number(0, 3),
  serviceMs: number(0, 1_000),
  regions: whole(1, MAX_NODES),
  regionMs: number(0, 10_000),
}

const OPTIONS: Fields = {
  profile: oneOf(Object.keys(LIVENESS_MS)),
  withdrawAfterMs: finite,
  inheritMs: finite,
  packetBytes: finite,
  indirectProbes: finite,
}

/** Checks a plan that comes from outside: every shape, kind, name and bound. Throws one sentence, on one line. */
export function parsePlan(json: unknown): SoakPlan {
  const { nodes, networks } = namesOf(json)
  const node = oneOf(nodes)
  fail(
    'the plan',
    faultOf(json, {
      seed: whole(0, Number.MAX_SAFE_INTEGER),
      nodes: anything,
      networks: anything,
      network: isObject,
      options: isObject,
      sealed: flag,
      declares: flag,
      staggerMs: number(0, 60_000),
      safetyMs: time,
      faults: Array.isArray,
      operations: Array.isArray,
      core: distinct(node, 1),
      cut: distinct(node, 0),
    }),
  )
  const plan = json as SoakPlan
  fail('the network of the plan', faultOf(plan.network, NETWORK))
  checkOptions(plan.options)
  const both = plan.cut.find((cut) => plan.core.includes(cut))
  if (both !== undefined) fail('the plan', `has ${both} both in its core and cut off`)
  parseSchedule(plan.faults, nodes)
  checkOperations(plan.operations, node, oneOf(networks))
  return plan
}

const anything: Check = () => true

/** What the rest of a plan refers to. */
function namesOf(json: unknown): Pick<SoakPlan, 'nodes' | 'networks'> {
  if (!isObject(json)) throw new Error('the plan is not an object')
  const { nodes, networks } = json
  const fields = { nodes: distinct(name, 1, MAX_NODES), networks: distinct(name, 0, MAX_NETWORKS) }
  fail('the plan', faultOf({ nodes, networks }, fields))
  return { nodes: nodes as string[], networks: networks as string[] }
}

function checkOptions(options: unknown): void {
  fail('the options of the plan', faultOf(options, OPTIONS))
  try {
    resolveOptions({ ...(options as Partial<ClusterOptions>), name: 'n', insecure: true })
  } catch (error) {
    fail('the options of the plan', `are not valid: ${(error as Error).message.replaceAll('\n', ' ')}`)
  }
}

function checkOperations(operations: readonly unknown[], node: Check, network: Check): void {
  const kinds: Readonly<Record<SoakPlan['operations'][number]['kind'], Fields>> = {
    join: { network },
    part: { network },
    set: { network, key, value: finite },
    delete: { network, key },
    'replace-own': { network, entries: list(entry, 0, MAX_ENTRIES) },
    churn: { network, count: whole(1, MAX_CHURN), value: finite },
    watch: { network, slow: flag },
    metadata: { value: finite },
    leave: {},
  }
  let before = 0
  operations.forEach((operation, index) => {
    const what = `operation ${index} of the plan`
    fail(what, faultOfKind(operation, kinds, { at: time, node }))
    const { at } = operation as SoakPlan['operations'][number]
    if (at < before) fail(what, 'is before the one ahead of it in the list')
    before = at
  })
}

function fail(what: string, fault: string | undefined): void {
  if (fault !== undefined) throw new Error(`${what} ${fault}`)
}
