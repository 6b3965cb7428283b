import { Driver } from '../../sim/driver.ts'
import { toyGossip } from '../sim/toy-gossip.ts'

/**
 * How many events a second the world alone carries, under nodes that do next to nothing.
 * Usage: `npx tsx test/bench/world.bench.ts [nodes] [virtual seconds]`
 */
const nodes = Number(process.argv[2] ?? 1000)
const seconds = Number(process.argv[3] ?? 60)

for (let round = 1; round <= 3; round++) {
  const { world } = toyGossip(nodes, 1)
  const driver = new Driver(world)
  const began = performance.now()
  await driver.advance(seconds * 1000)
  const wallMs = performance.now() - began
  const rate = (world.events / wallMs / 1000).toFixed(2)
  console.log(
    `${nodes} nodes, ${seconds} virtual s: ${world.events} events in ${wallMs.toFixed(0)} ms, ${rate} M events/s, ` +
      `trace ${world.trace.hash}`,
  )
}
