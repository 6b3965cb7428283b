import { Cluster, type ClusterOptions, type Metrics, type Table } from '../../src/index.ts'
import type { ByteStream, TransportHandlers } from '../../src/runtime/runtime.ts'
import { FrameParser, StreamKind } from '../../src/security/frames.ts'
import { FakeNetwork } from '../security/fake-runtime.ts'

const TARGET = '10.0.0.1:7946'
const PEER = '10.0.0.2:7946'
const STRANGER = '10.6.6.6:4444'
const STEP_MS = 20
const RECORD_MS = 3_000
const CHANGES = 20
const MAX_RECORD_BYTES = 1 << 20

/** Two nodes in virtual time, what one has said to the other so far, and a way to the sockets of the other. */
export class FuzzLab {
  readonly network: FakeNetwork
  readonly target: Cluster
  readonly #peer: Cluster
  readonly #table: Table<string>
  readonly #handlers: TransportHandlers
  /** Packets that the peer has sent to the target. */
  readonly packets: readonly Uint8Array[]
  /** What the peer has said to the target over streams, a message each, beginning anew where it has opened one. */
  readonly streams: readonly (readonly Uint8Array[])[]
  /** Bytes that a stranger's streams were answered. */
  answered = 0

  static async open(options: Pick<ClusterOptions, 'keys' | 'insecure'>, seed: number): Promise<FuzzLab> {
    const network = new FakeNetwork()
    const packets: Uint8Array[] = []
    const chunks: Uint8Array[][] = []
    network.onWirePacket = (packet, from) => {
      if (from === PEER) packets.push(packet.slice())
      return [packet]
    }
    network.onWireChunk = (chunk, from) => {
      const kind = chunk[5]
      const isHello = chunk.length > 5 && (kind === StreamKind.plainHello || kind === StreamKind.sealedHello)
      if (from === PEER && isHello && chunk[4] === 1) chunks.push([])
      if (from === PEER) chunks.at(-1)?.push(chunk.slice())
      return [chunk]
    }
    let handlers: TransportHandlers | undefined
    const runtime = network.runtime(seed)
    const tapped = {
      ...runtime,
      listen: (bind: string, given: TransportHandlers) => {
        handlers = given
        return runtime.listen(bind, given)
      },
    }
    const common = { label: 'fuzz', syncIntervalMs: 500, ...options }
    const target = await ran(
      network,
      Cluster.start({ name: 'target', bind: TARGET, runtime: tapped, ...common }),
    )
    const peer = await ran(
      network,
      Cluster.start({
        name: 'peer',
        bind: PEER,
        seeds: [TARGET],
        runtime: network.runtime(seed + 1),
        ...common,
      }),
    )
    const [, table] = await Promise.all(
      [target, peer].map(async (node) => (await ran(network, node.joinNetwork('blue'))).table<string>('t')),
    )
    for (let i = 0; i < CHANGES; i++) {
      table!.set(`k${i % 7}`, 'x'.repeat(i))
      if (i % 5 === 4) table!.delete('k1')
      peer.setMetadata(new Uint8Array(i))
      await run(network, RECORD_MS / CHANGES)
    }
    return new FuzzLab(network, target, peer, table!, handlers!, packets, chunks.map(messages))
  }

  private constructor(
    network: FakeNetwork,
    target: Cluster,
    peer: Cluster,
    table: Table<string>,
    handlers: TransportHandlers,
    packets: readonly Uint8Array[],
    streams: readonly (readonly Uint8Array[])[],
  ) {
    this.network = network
    this.target = target
    this.#peer = peer
    this.#table = table
    this.#handlers = handlers
    this.packets = packets
    this.streams = streams
    this.network.onWirePacket = (packet) => [packet]
    this.network.onWireChunk = (chunk) => [chunk]
  }

  packet(bytes: Uint8Array, from: string = STRANGER): void {
    this.#handlers.onPacket(bytes.slice(), from)
  }

  /** A stream that says this and is gone. */
  stream(pieces: readonly Uint8Array[]): void {
    let open = true
    const bytes: ByteStream = {
      remoteAddress: STRANGER,
      write: (answer) => {
        this.answered += answer.length
        return true
      },
      end() {},
      destroy() {
        open = false
      },
    }
    const handlers = this.#handlers.onStream(bytes)
    for (const piece of pieces) if (open) handlers?.onData(piece.slice())
    handlers?.onClose()
  }

  /** All that can be seen of the target but for what counts traffic and what was dropped. */
  view(): string {
    const metrics = Object.entries(this.target.metrics()).filter(
      ([name]) => !/^(dropped|traffic)\./.test(name),
    )
    const members = this.target.members().map((member) => ({ ...member, metadata: [...member.metadata] }))
    const entries = [...this.target.network('blue').table('t').entries()]
    const { streamsIn, streamsOpen, sessions, packetsOut } = trafficOf(this.target.metrics())
    return JSON.stringify({ metrics, members, entries, streamsIn, streamsOpen, sessions, packetsOut })
  }

  get dropped(): number {
    const counts = Object.entries(this.target.metrics()).filter(([name]) => name.startsWith('dropped.'))
    return counts.reduce((sum, [, count]) => sum + count, 0)
  }

  /** Whether what the peer writes still reaches the target. */
  async works(): Promise<boolean> {
    this.#table.set('works', 'still')
    await run(this.network, 2_000)
    return this.target.network('blue').table<string>('t').get('works')?.value === 'still'
  }

  async close(): Promise<void> {
    await Promise.all([this.target.close(), this.#peer.close()])
  }
}

function trafficOf(metrics: Metrics): Metrics {
  const traffic = Object.entries(metrics).filter(([name]) => name.startsWith('traffic.'))
  return Object.fromEntries(traffic.map(([name, value]) => [name.slice('traffic.'.length), value]))
}

/** The messages of a stream, without their lengths. */
function messages(chunks: readonly Uint8Array[]): Uint8Array[] {
  const parser = new FrameParser(MAX_RECORD_BYTES)
  return chunks.flatMap((chunk) => {
    parser.feed(chunk)
    const whole: Uint8Array[] = []
    for (let next = parser.next(); next !== undefined; next = parser.next()) whole.push(next.slice())
    return whole
  })
}

async function run(network: FakeNetwork, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += STEP_MS) {
    network.run(STEP_MS)
    await new Promise(setImmediate)
  }
}

/** What a promise comes to, while virtual time goes on. */
async function ran<T>(network: FakeNetwork, promise: Promise<T>): Promise<T> {
  let settled = false
  const done = promise.finally(() => {
    settled = true
  })
  while (!settled) await run(network, STEP_MS)
  return done
}
