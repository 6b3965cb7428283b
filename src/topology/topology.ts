import { Reader, Writer } from '../wire/bytes.ts'
import { type Coordinate, distanceMs } from './coordinate.ts'
import { MAX_COORDINATE_BYTES, readCoordinate, writeCoordinate } from './coordinate-codec.ts'
import { LatencyWindow } from './latency-window.ts'
import { isRoundTrip, Vivaldi } from './vivaldi.ts'

/** Members whose distance is remembered; beyond, the one that was met first makes room. */
const MOST_PEERS = 8192

interface Neighbour {
  readonly roundTrips: LatencyWindow
  /** Its last coordinate that was of use. */
  place: Coordinate | undefined
}

/** Where this node is among the others, by round-trip times. */
export class Topology {
  readonly #vivaldi: Vivaldi
  readonly #neighbours = new Map<string, Neighbour>()
  readonly #writer = new Writer(MAX_COORDINATE_BYTES)
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

  /** This node's coordinate for others, encoded; a view that the next call may change. */
  coordinate(): Uint8Array {
    return writeCoordinate(this.#writer.reset(), this.#vivaldi.coordinate).view()
  }

  /** A member answered after `rttMs` and told its coordinate, or nothing. */
  observe(name: string, rttMs: number, coordinate: Uint8Array): void {
    if (coordinate.length === 0) return
    const reader = new Reader(coordinate)
    const place = readCoordinate(reader)
    if (reader.failed || !isRoundTrip(rttMs)) {
      this.#malformed++
      return
    }
    const neighbour = this.#neighbour(name)
    if (this.#vivaldi.observe(place, neighbour.roundTrips.add(rttMs))) neighbour.place = place
  }

  /** Estimated round trip in ms; nothing for a member that has not answered yet. */
  distanceTo(name: string): number | undefined {
    const place = this.#neighbours.get(name)?.place
    return place && distanceMs(this.#vivaldi.coordinate, place)
  }

  forget(name: string): void {
    this.#neighbours.delete(name)
  }

  #neighbour(name: string): Neighbour {
    let neighbour = this.#neighbours.get(name)
    if (neighbour === undefined) {
      if (this.#neighbours.size >= MOST_PEERS) this.#neighbours.delete(this.#neighbours.keys().next().value!)
      neighbour = { roundTrips: new LatencyWindow(), place: undefined }
      this.#neighbours.set(name, neighbour)
    }
    return neighbour
  }
}
