import { spawnSync } from 'node:child_process'
import { cutRules } from './cuts.ts'
import { Premises, runBatches, runScript } from './namespaces.ts'

const TOOLS = [
  { tool: 'ip', argument: '-V', from: 'iproute2' },
  { tool: 'bridge', argument: '-V', from: 'iproute2' },
  { tool: 'nft', argument: '--version', from: 'nftables' },
]

/** Why this machine cannot run a lab, in a few words; undefined if it can. */
export function missingForLab(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const { tool, argument, from } of TOOLS) {
    if (spawnSync(tool, [argument]).status !== 0) return `needs ${from} ("${tool}" not found)`
  }
  const trial = new Premises()
  const namespace = `${trial.id}-trial`
  try {
    const devices = ['link add vx0 type vxlan id 1 dstport 4789 nolearning proxy', 'link add br0 type bridge']
    runBatches([{ lines: [`netns add ${namespace}`] }, { namespace, lines: devices }])
    runScript(`ip netns exec ${namespace} nft -f - <<'END'\n${cutRules([])}\nEND\n`)
    return undefined
  } catch (error) {
    const [reason] = (error as Error).message.split('\n').slice(1)
    return `needs the right to make network namespaces with VXLAN and nftables (${reason})`
  } finally {
    trial.remove()
  }
}
