/** One kind of place that hosts stand in. */
export interface Region {
  readonly name: string
  /** Probability that a packet is lost on its way between such a host and the rest of the world, each way. */
  readonly loss: number
}

/** Where hosts stand, and how far the places are from each other. */
export interface Topology {
  readonly name: string
  readonly docs: string
  readonly regions: readonly Region[]
  /** Regions of the first hosts, by index; the hosts after them repeat the pattern. */
  readonly placement: readonly number[]
  /** Round trip between two regions in ms, beyond the latency that every packet has. */
  readonly roundTripMs: readonly (readonly number[])[]
}

export const LAN: Topology = {
  name: 'lan',
  docs: 'one place; only the latency that every packet has',
  regions: [{ name: 'lan', loss: 0 }],
  placement: [0],
  roundTripMs: [[0]],
}

export const WAN3: Topology = {
  name: 'wan3',
  docs: 'three regions with a third of the hosts each, round trips of 30, 90 and 110 ms between them',
  regions: [
    { name: 'east', loss: 0 },
    { name: 'centre', loss: 0 },
    { name: 'west', loss: 0 },
  ],
  placement: [0, 1, 2],
  roundTripMs: [
    [0, 30, 110],
    [30, 0, 90],
    [110, 90, 0],
  ],
}

export const LOSSY_EDGE: Topology = {
  name: 'lossy-edge',
  docs: 'each fourth host stands at an edge, 40 ms of round trip away and behind a link that loses 5 % each way',
  regions: [
    { name: 'core', loss: 0 },
    { name: 'edge', loss: 0.05 },
  ],
  placement: [0, 0, 0, 1],
  roundTripMs: [
    [0, 40],
    [40, 80],
  ],
}

/** In the order of their numbers on the command line. */
export const TOPOLOGIES: readonly Topology[] = [LAN, WAN3, LOSSY_EDGE]

/** The region of a host, by the order in which hosts were made. */
export function regionOf(topology: Topology, hostIndex: number): number {
  return topology.placement[hostIndex % topology.placement.length]!
}
