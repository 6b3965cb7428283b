import { Reader, Writer } from '../wire/bytes.ts'
import { type Coordinate, distanceMs } from './coordinate.ts'
import { MAX_COORDINATE_BYTES, readCoordinate, writeCoordinate } from './coordinate-codec.ts'
import { LatencyFilter } from './latency-filter.ts'
import { RecentMap } from './recent-map.ts'
import { isRoundTrip, Vivaldi } from './vivaldi.ts'

/** Members whose distance is remembered. */
const MOST_PEERS = 8192

/** Where this node is among the others, by round-trip times. */
export class Topology {
  readonly #vivaldi: Vivaldi
  readonly #filter = new LatencyFilter(MOST_PEERS)
  readonly #peers = new RecentMap<Coordinate>(MOST_PEERS)
  #malformed = 0

  /** @param randomUint32 uniform integers in [0, 2^32) */
  constructor(randomUint32: () => number) {
    this.#vivaldi = new Vivaldi(randomUint32)
  }

  /** Answers that were of no use: round trips out of bounds, malformed coordinates. */
  get rejected(): number {
    return this.#malformed + this.#vivaldi.rejected
  }

  /** How often the coordinate had to start anew. */
  get resets(): number {
    return this.#vivaldi.resets
  }

  /** This node's coordinate for others, encoded. */
  coordinate(): Uint8Array {
    return writeCoordinate(new Writer(MAX_COORDINATE_BYTES), this.#vivaldi.coordinate).view()
  }

  /** A member answered after `rttMs` and told its coordinate, or nothing. */
  observe(name: string, rttMs: number, coordinate: Uint8Array): void {
    if (coordinate.length === 0) return
    const reader = new Reader(coordinate)
    const place = readCoordinate(reader)
    if (reader.failed || !isRoundTrip(rttMs)) this.#malformed++
    else if (this.#vivaldi.observe(place, this.#filter.add(name, rttMs))) this.#peers.set(name, place)
  }

  /** Estimated round trip in ms; nothing for a member that has not answered yet. */
  distanceTo(name: string): number | undefined {
    const place = this.#peers.get(name)
    return place && distanceMs(this.#vivaldi.coordinate, place)
  }

  forget(name: string): void {
    this.#filter.forget(name)
    this.#peers.delete(name)
  }
}
