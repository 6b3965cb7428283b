export type { NetworkOptions } from './network.ts'
export { type NodeOptions, Simulation, type SimulationOptions } from './simulation.ts'
export type { Traffic } from './traffic.ts'
export type { Fault } from './virtual-world.ts'
