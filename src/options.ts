import { HearsayError } from './errors.ts'
import type { Seeds } from './membership/joining.ts'
import { parseAddress } from './runtime/address.ts'
import type { Runtime } from './runtime/runtime.ts'
import { isKeyText } from './security/keyring.ts'
import { utf8Length } from './wire/bytes.ts'
import { MAX_METADATA_BYTES, MAX_NAME_BYTES, MAX_PACKET_BYTES, MIN_PACKET_BYTES } from './wire/limits.ts'

/** The kind of network: fast and near; far apart; one machine; as `lan`, on hosts that may stand still for up to three seconds. */
export type Profile = 'lan' | 'wan' | 'local' | 'vm'

/** What a node is started with. Only `name` is required, and `keys` or `keyFile` unless `insecure`. */
export interface ClusterOptions extends Partial<Tuning> {
  /** Unique in the cluster; at most 63 bytes. */
  readonly name: string
  /** Where to listen, packets and streams on one port number. Default `0.0.0.0:7946`; port 0 chooses one. */
  readonly bind?: string
  /** What others are told to reach this node at. Default: the bound address. Required where `bind` is a wildcard that no interface address can stand for. */
  readonly advertise?: string
  /** Keeps clusters apart that could reach each other; at most 63 bytes. Default: none. */
  readonly label?: string
  /** 32 bytes each, as bytes, hex or base64. The first one seals; all of them open. */
  readonly keys?: readonly (Uint8Array | string)[]
  /**
   * Instead of `keys`: a file with one key a line, as `hearsay keygen --out` makes it; the first one seals. When the keys rotate the node
   * writes them there, so that a restart finds them. Only its owner should be able to read it, and the node to write beside it.
   */
  readonly keyFile?: string
  /**
   * Beside keys: also takes plaintext, and speaks it to members that hold no keys. Only for the way of a cluster from no keys to keys,
   * since nothing is protected while it lasts. Default false.
   */
  readonly acceptPlaintext?: boolean
  /** Tried once by `start`, and at a low rate in the background, so that parts of a cluster find each other. Default: none. */
  readonly seeds?: Seeds
  /** Known to all members; at most 512 bytes. Default: empty. */
  readonly metadata?: Uint8Array
  /** Defaults of all timings, for the kind of network. Default `lan`. */
  readonly profile?: Profile
  /** Must be true to run without keys: anyone who reaches the port may then read and change everything. */
  readonly insecure?: boolean
  /** Gives up starting. */
  readonly signal?: AbortSignal
  /** The outside world; the simulator passes its own. Default: a new `NodeRuntime`. */
  readonly runtime?: Runtime
}

/** Every number that can be tuned. Durations in ms. */
export interface Tuning {
  /** Between probes. */
  readonly probeIntervalMs: number
  /** A direct ping's time before others are asked to help. */
  readonly probeTimeoutMs: number
  /** Time of helpers and of the ping by stream. */
  readonly indirectTimeoutMs: number
  /** Helpers asked for each silent member. */
  readonly indirectProbes: number
  /** A suspect's time to answer its verifiers. */
  readonly verifyTimeoutMs: number
  /** Shortest suspicion on the slow path, in probe intervals at up to ten members. */
  readonly suspicionMultiplier: number
  /** Longest suspicion, in shortest ones. */
  readonly suspicionMaxMultiplier: number
  /** Nobody is held failed before having been suspect for so long, whoever agrees: for hosts that pause. */
  readonly minSuspicionMs: number
  /** Between gossip rounds, while there are news. */
  readonly gossipIntervalMs: number
  /** Peers of a gossip round. */
  readonly gossipFanout: number
  /** λ: each news is sent λ·⌈log10(n+1)⌉ times. */
  readonly retransmitMultiplier: number
  /** Between full exchanges with a random peer. */
  readonly syncIntervalMs: number
  /** Time of one exchange, and of the first one of a network. */
  readonly syncTimeoutMs: number
  /** Time that `start` gives the seeds, and `join` its addresses. */
  readonly joinTimeoutMs: number
  /** Time that `leave` has to tell the others. */
  readonly leaveTimeoutMs: number
  /** Silence of everyone after which this node takes itself for isolated. */
  readonly isolationTimeoutMs: number
  /** After isolation, what failed meanwhile is not withdrawn for so long. */
  readonly reconnectGraceMs: number
  /** How often failed members, and seeds where nobody is known to live, are contacted again at first; later less often. */
  readonly healIntervalMs: number
  /** How long failed and left members are remembered. */
  readonly forgetAfterMs: number
  /** How much longer than detection the entries of a failed owner stay visible. */
  readonly withdrawAfterMs: number
  /** How long entries of this node's former life stay, if it does not declare them anew; 0: not at all. */
  readonly inheritMs: number
  /** Largest UDP payload sent, bytes. */
  readonly packetBytes: number
  /** Streams that may come in at once. */
  readonly maxInboundStreams: number
}

const LAN: Tuning = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectTimeoutMs: 500,
  indirectProbes: 3,
  verifyTimeoutMs: 500,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  minSuspicionMs: 0,
  gossipIntervalMs: 200,
  gossipFanout: 3,
  retransmitMultiplier: 4,
  syncIntervalMs: 30_000,
  syncTimeoutMs: 10_000,
  joinTimeoutMs: 5_000,
  leaveTimeoutMs: 2_000,
  isolationTimeoutMs: 3_000,
  reconnectGraceMs: 5_000,
  healIntervalMs: 5_000,
  forgetAfterMs: 24 * 3_600_000,
  withdrawAfterMs: 0,
  inheritMs: 10_000,
  packetBytes: MAX_PACKET_BYTES,
  maxInboundStreams: 1_024,
}

const PROFILES: Readonly<Record<Profile, Tuning>> = {
  lan: LAN,
  wan: {
    ...LAN,
    probeIntervalMs: 5_000,
    probeTimeoutMs: 3_000,
    indirectTimeoutMs: 3_000,
    verifyTimeoutMs: 3_000,
    suspicionMultiplier: 6,
    gossipIntervalMs: 500,
    gossipFanout: 4,
    syncIntervalMs: 60_000,
    syncTimeoutMs: 30_000,
    joinTimeoutMs: 10_000,
    leaveTimeoutMs: 5_000,
    isolationTimeoutMs: 15_000,
    reconnectGraceMs: 20_000,
    healIntervalMs: 30_000,
  },
  local: {
    ...LAN,
    probeTimeoutMs: 200,
    indirectTimeoutMs: 300,
    indirectProbes: 1,
    verifyTimeoutMs: 300,
    suspicionMultiplier: 3,
    gossipIntervalMs: 100,
    syncIntervalMs: 15_000,
    healIntervalMs: 2_000,
  },
  vm: { ...LAN, minSuspicionMs: 3_000 },
}

/** Least and most of each tuning. */
const BOUNDS: Readonly<Record<keyof Tuning, readonly [number, number]>> = {
  probeIntervalMs: [50, 60_000],
  probeTimeoutMs: [10, 60_000],
  indirectTimeoutMs: [10, 60_000],
  indirectProbes: [0, 16],
  verifyTimeoutMs: [10, 60_000],
  suspicionMultiplier: [1, 100],
  suspicionMaxMultiplier: [1, 100],
  minSuspicionMs: [0, 600_000],
  gossipIntervalMs: [10, 60_000],
  gossipFanout: [1, 16],
  retransmitMultiplier: [1, 16],
  syncIntervalMs: [100, 3_600_000],
  syncTimeoutMs: [100, 600_000],
  joinTimeoutMs: [10, 600_000],
  leaveTimeoutMs: [0, 60_000],
  isolationTimeoutMs: [100, 600_000],
  reconnectGraceMs: [0, 600_000],
  healIntervalMs: [100, 3_600_000],
  forgetAfterMs: [1_000, 30 * 24 * 3_600_000],
  withdrawAfterMs: [0, 24 * 3_600_000],
  inheritMs: [0, 3_600_000],
  packetBytes: [MIN_PACKET_BYTES, MAX_PACKET_BYTES],
  maxInboundStreams: [1, 65_536],
}

/** Options with every default filled in. */
export interface ResolvedOptions extends Readonly<Tuning> {
  readonly name: string
  readonly bind: string
  readonly advertise: string | undefined
  readonly label: string
  readonly keys: readonly (Uint8Array | string)[]
  readonly keyFile: string | undefined
  readonly acceptPlaintext: boolean
  readonly seeds: Seeds
  readonly metadata: Uint8Array
}

const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(BOUNDS),
  'name',
  'bind',
  'advertise',
  'label',
  'keys',
  'keyFile',
  'acceptPlaintext',
  'seeds',
  'metadata',
  'profile',
  'insecure',
  'signal',
  'runtime',
])

/**
 * Checks all options at once. One fault is thrown as itself; several as one `ERR_OPTIONS_INVALID` whose `faults` they
 * are.
 */
export function resolveOptions(options: ClusterOptions): ResolvedOptions {
  const faults: HearsayError[] = []
  const check = (step: () => void): void => {
    try {
      step()
    } catch (error) {
      faults.push(error as HearsayError)
    }
  }
  const {
    name,
    label = '',
    bind = '0.0.0.0:7946',
    advertise,
    keys = [],
    keyFile,
    acceptPlaintext = false,
    seeds = [],
    profile = 'lan',
  } = options
  const metadata = options.metadata ?? new Uint8Array(0)

  for (const option of Object.keys(options)) {
    check(() => {
      if (!KNOWN.has(option)) throw invalid(option, 'is not an option of Hearsay; check its spelling.')
    })
  }
  check(() => checkName('name', name))
  check(() => checkText('label', label, MAX_NAME_BYTES))
  check(() => void parseAddress(bind))
  check(() => {
    if (advertise !== undefined) checkAdvertise(advertise)
  })
  check(() => checkMetadata(metadata))
  if (typeof seeds !== 'function') for (const seed of seeds) check(() => void parseAddress(seed))
  check(() => checkKeys(options))
  check(() => {
    if (typeof acceptPlaintext !== 'boolean') throw invalid('acceptPlaintext', 'must be true or false.')
    if (acceptPlaintext && keys.length === 0 && keyFile === undefined)
      throw invalid('acceptPlaintext', 'is for nodes with keys; without any there is only plaintext.')
  })
  if (!Object.hasOwn(PROFILES, profile)) {
    faults.push(invalid('profile', `is '${String(profile)}'; choose 'lan', 'wan', 'local' or 'vm'.`))
  }
  const tuning = { ...(PROFILES[profile] ?? LAN) }
  for (const option of Object.keys(BOUNDS) as (keyof Tuning)[]) {
    const value = options[option]
    if (value === undefined) continue
    check(() => checkNumber(option, value))
    Object.assign(tuning, { [option]: value })
  }
  if (faults.length === 1) throw faults[0]!
  if (faults.length > 1) {
    const list = faults.map((fault) => `- ${fault.message}`).join('\n')
    throw new HearsayError('ERR_OPTIONS_INVALID', `${faults.length} options are not valid:\n${list}`, {
      faults,
    })
  }
  const given = { name, label, bind, advertise, keys, keyFile, acceptPlaintext, seeds }
  return Object.freeze({ ...tuning, ...given, metadata: new Uint8Array(metadata) })
}

/** Throws `ERR_NAME_INVALID` for what cannot name a member, a network or a table. `what` says which, for the message. */
export function checkName(what: string, name: unknown): asserts name is string {
  checkText(what, name, MAX_NAME_BYTES)
  if (name === '' || name.includes('\u0000')) {
    throw new HearsayError(
      'ERR_NAME_INVALID',
      `The ${what} must not be empty and must not contain NUL; choose another one.`,
    )
  }
}

/** Throws `ERR_NAME_INVALID` for text that is no well-formed string or is longer than `most` bytes of UTF-8. */
export function checkText(what: string, text: unknown, most: number): asserts text is string {
  if (typeof text !== 'string') {
    throw new HearsayError('ERR_NAME_INVALID', `The ${what} must be a string, not ${typeof text}.`)
  }
  if (/\p{Surrogate}/u.test(text)) {
    throw new HearsayError(
      'ERR_NAME_INVALID',
      `The ${what} contains half a surrogate pair; pass well-formed Unicode.`,
    )
  }
  const bytes = utf8Length(text)
  if (bytes > most) {
    throw new HearsayError(
      'ERR_NAME_INVALID',
      `The ${what} has ${bytes} bytes of UTF-8, more than ${most}; shorten it.`,
    )
  }
}

/** Throws `ERR_METADATA_TOO_LARGE`. */
export function checkMetadata(metadata: unknown): asserts metadata is Uint8Array {
  if (!(metadata instanceof Uint8Array)) throw invalid('metadata', 'must be a Uint8Array.')
  if (metadata.length > MAX_METADATA_BYTES) {
    throw new HearsayError(
      'ERR_METADATA_TOO_LARGE',
      `The metadata has ${metadata.length} bytes, more than ${MAX_METADATA_BYTES}; store less, or use a table.`,
    )
  }
}

/** Says nothing of what was given, which may be a key in a wrong place. What a key looks like is for the keyring to see. */
function checkKeys({ keys = [], keyFile, insecure }: ClusterOptions): void {
  if (!Array.isArray(keys)) throw invalid('keys', 'must be an array of keys.')
  if (keyFile === undefined) {
    if (keys.length > 0 || insecure === true) return
    throw new HearsayError(
      'ERR_KEY_INVALID',
      'No keys were given: pass `keys: [generateKey()]` (the same on every node), a `keyFile`, or `insecure: true` to run without.',
    )
  }
  if (typeof keyFile !== 'string' || keyFile === '' || keyFile.includes('\u0000'))
    throw invalid('keyFile', 'must be the path of a file.')
  if (isKeyText(keyFile)) throw invalid('keyFile', 'is a key, not the path of a file; pass it in `keys`.')
  if (keys.length > 0) throw invalid('keyFile', 'stands beside `keys`; give one of them.')
}

function checkAdvertise(advertise: string): void {
  const { host, family } = parseAddress(advertise)
  if (family === undefined) {
    throw new HearsayError(
      'ERR_ADDRESS_INVALID',
      `advertise '${advertise}' has the name '${host}'; give an IP address, since others do not resolve it.`,
    )
  }
}

function checkNumber(option: keyof Tuning, value: unknown): void {
  const [least, most] = BOUNDS[option]
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw invalid(option, `is ${String(value)}; choose a number from ${least} to ${most}.`)
  }
}

function invalid(option: string, problem: string): HearsayError {
  return new HearsayError('ERR_OPTION_INVALID', `Option ${option} ${problem}`)
}
