import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))

describe('npm start without root or without iproute2', () => {
  it('says so in one line, tells the whole story on loopback, and prints the commands', () => {
    const args = ['--import', 'tsx', 'examples/overlay-agent/demo.ts']
    // No tool is found, whoever runs this.
    const env = { ...process.env, PATH: '/nonexistent' }
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: PROJECT,
      env,
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(stdout.split('\n')[0]).toMatch(
      /^No real network here \(needs .*\): .* commands printed but not run\.$/,
    )
    expect(stdout).toMatch(/h3 {2}127\.0\.0\.1:\d+ +failed/)
    expect(stdout).toContain('ip link add name vx42 mtu 1450 type vxlan id 42 local 10.77.0.1 dstport 4789')
    expect(stdout).toContain('bridge fdb replace 02:42:0a:2a:00:03 dev vx42 dst 10.77.0.3 self permanent')
    expect(stdout).toContain('ip neigh replace fd42::3 lladdr 02:42:0a:2a:00:03 dev vx42 nud permanent')
    expect(stdout).toContain('bridge fdb replace 02:42:0a:2a:00:02 dev vx42 dst 10.77.0.3 self permanent')
    expect(stdout).toContain('ip neigh del 10.42.0.3 dev vx42')
    expect(stdout).toContain('all have left in good order')
  }, 60_000)
})
