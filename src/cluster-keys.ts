import type { AntiEntropy } from './dissemination/anti-entropy.ts'
import { sample } from './dissemination/peer.ts'
import type { SyncDomain } from './dissemination/sync-session.ts'
import { HearsayError } from './errors.ts'
import type { EventQueue } from './events.ts'
import type { KeyFile } from './key-file.ts'
import type { Listening } from './listen.ts'
import type { Member } from './membership/member.ts'
import type { Membership } from './membership/membership.ts'
import type { Runtime } from './runtime/runtime.ts'
import { KeyRotation, type RotateOptions } from './security/key-rotation.ts'
import type { PlainPeers } from './security/mixed.ts'
import type { KeyHolder } from './security/rotating-ring.ts'

/** Streams for nothing but keys that this node has under way, at most. */
const MOST_EXCHANGES = 16
/** Members that have been failed for longer are no part of the cluster that a rotation is for. */
const MISSED_MS = 600_000

/** Key rotation among the members of the cluster; a node without keys takes no part. */
export class ClusterKeys {
  readonly #runtime: Runtime
  readonly #membership: Membership
  readonly #antiEntropy: AntiEntropy
  readonly #plainPeers: PlainPeers | undefined
  readonly #rotation: KeyRotation | undefined
  readonly #keyFile: KeyFile | undefined
  readonly #events: EventQueue
  #exchanges = 0
  #started = false
  #stopped = false
  /** The keys changed before anybody could listen. */
  #untold = false
  /** What others are to be told that this node holds, once it is in the file. */
  #unpublished: readonly number[] | undefined

  constructor(
    runtime: Runtime,
    { transport: { keyring, plainPeers }, keyFile }: Listening,
    membership: Membership,
    antiEntropy: AntiEntropy,
    events: EventQueue,
  ) {
    this.#runtime = runtime
    this.#membership = membership
    this.#antiEntropy = antiEntropy
    this.#events = events
    this.#plainPeers = plainPeers
    this.#keyFile = keyFile
    if (keyring === undefined) return
    this.#rotation = new KeyRotation(runtime, keyring, {
      live: () => membership.members.live,
      others: () => membership.members.others(),
      mayStep: () =>
        !membership.yielded &&
        keyFile?.writing !== true &&
        membership.members.liveCount > this.#missing().length,
      missing: () =>
        keyFile?.writing === true ? [membership.self.name] : this.#missing().map(({ name }) => name),
      publish: (keys) => this.#publish(keys),
      spread: (count, lacking) => this.#spread(count, lacking),
      exchange: (holder) => this.#exchange(holder),
      changed: () => this.#tell(),
    })
  }

  /** What is to be compared with other nodes. */
  get domains(): readonly SyncDomain[] {
    return this.#rotation === undefined ? [] : [this.#rotation.domain]
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#rotation?.counts ?? { held: 0, stage: 0, lacking: 0, rotations: 0 }
  }

  /** See `Cluster.rotateKey`. */
  async rotate(key: Uint8Array | string, options?: RotateOptions): Promise<void> {
    if (this.#rotation === undefined) {
      throw new HearsayError(
        'ERR_INSECURE',
        'This node runs without keys, so there are none to rotate; start it with `keys`.',
      )
    }
    return this.#rotation.rotate(key, options)
  }

  /** The node has started; whoever started it can listen a moment later. */
  start(): void {
    this.#runtime.setTimer(0, () => {
      this.#started = true
      if (this.#untold) this.#tell()
      if (this.#keyFile?.shared !== true) return
      const message = `Others than its owner may read or write the key file '${this.#keyFile.path}': chmod 600 it, and rotate if they may have.`
      this.#events.warn('WARN_KEY_FILE_READABLE', message)
    })
  }

  memberChanged(member: Member): void {
    this.#plainPeers?.note(member.address, member.keys)
    this.#rotation?.memberChanged(member)
  }

  forgotten({ address }: Member): void {
    this.#plainPeers?.forget(address)
  }

  /** Resolves once keys that were being written are in their file. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#rotation?.stop()
    await this.#keyFile?.close()
  }

  /** Nobody retires a key before all hold the next one in such a way that a loss of power does not take it from them. */
  #publish(keys: readonly number[]): void {
    if (this.#keyFile === undefined || this.#rotation === undefined) {
      this.#membership.setKeys(keys)
      return
    }
    this.#unpublished = keys
    void this.#keyFile.keep(this.#rotation.keys(), this.#events).then(() => {
      if (this.#unpublished !== undefined && !this.#stopped) this.#membership.setKeys(this.#unpublished)
      this.#unpublished = undefined
      this.#rotation?.reconsider()
    })
  }

  #tell(): void {
    this.#untold = !this.#started
    if (this.#rotation === undefined || !this.#started || !this.#events.listened('keyring')) return
    this.#events.emit('keyring', this.#rotation.keys())
  }

  /** Members that failed not long ago: if these are the half, this node may be the one that is cut off. */
  #missing(): Member[] {
    const now = this.#runtime.now()
    return [...this.#membership.members.gone].filter(
      ({ verdict, goneAt }) => verdict === 'failed' && now - (goneAt ?? now) < MISSED_MS,
    )
  }

  #spread(count: number, lacking: (holder: KeyHolder) => boolean): void {
    const { members } = this.#membership
    members.keysDigest = this.#rotation?.domain.digest().low ?? 0
    const random = (): number => this.#runtime.randomUint32()
    for (const member of sample(members.live, count, random, lacking)) this.#exchange(member)
  }

  #exchange({ address }: KeyHolder): void {
    if (this.#exchanges >= MOST_EXCHANGES) return
    this.#exchanges++
    const ended = (): void => {
      this.#exchanges--
    }
    this.#antiEntropy.sync(address, ended, this.domains)
  }
}
