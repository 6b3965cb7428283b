import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cruise, type ICruiseResult } from 'dependency-cruiser'
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-config'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const HOUSE = join(import.meta.dirname, '../..')

/** Files by path, each with what it imports. */
type Fixture = Record<string, string[]>

let violations: { rule: string; from: string; to: string }[]
let directory: string

async function judge(root: string, folders: string[]): Promise<typeof violations> {
  const { forbidden = [], options = {} } = await extractConfig(join(HOUSE, '.dependency-cruiser.cjs'))
  const result = await cruise(folders, { ...options, ruleSet: { forbidden }, validate: true, baseDir: root })
  const { modules, summary } = result.output as ICruiseResult
  expect(modules.length).toBeGreaterThan(10)
  return summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }))
}

const CLEAN: Fixture = {
  'src/errors.ts': [],
  'src/runtime/runtime.ts': [],
  'src/runtime/address.ts': ['import "../errors.ts"'],
  'src/runtime/node-runtime.ts': [
    'import "node:net"',
    'import "./node-part.ts"',
    'import type {} from "./runtime.ts"',
  ],
  'src/runtime/node-part.ts': ['import "../errors.ts"'],
  'src/wire/bytes.ts': ['import "../runtime/address.ts"', 'import "../errors.ts"'],
  'src/wire/circle.ts': ['import "./circle-back.ts"'],
  'src/wire/circle-back.ts': [],
  'src/topology/vivaldi.ts': ['import "../wire/bytes.ts"'],
  'src/security/seal.ts': ['import "libsodium-wrappers"', 'import "../wire/bytes.ts"'],
  'src/dissemination/gossip.ts': ['import "../topology/vivaldi.ts"', 'import "../security/seal.ts"'],
  'src/membership/member.ts': ['import "../dissemination/gossip.ts"', 'import "../runtime/runtime.ts"'],
  'src/network-state/log.ts': ['import "../dissemination/gossip.ts"', 'import "../wire/bytes.ts"'],
  'src/options.ts': ['import "./membership/member.ts"'],
  'src/cluster.ts': [
    'import "eventemitter3"',
    'import "./options.ts"',
    'import "./network-state/log.ts"',
    'import "./runtime/node-runtime.ts"',
  ],
  'src/index.ts': ['import "./cluster.ts"', 'import "./runtime/node-runtime.ts"'],
  'src/agent/node-clock.ts': ['import "node:child_process"', 'import "../runtime/runtime.ts"'],
  'src/agent/reconciler.ts': ['import "./node-clock.ts"'],
  'src/agent/index.ts': ['import "./reconciler.ts"'],
  'sim/index.ts': ['import "../src/cluster.ts"', 'import "node:fs"'],
  'sim/circle.ts': ['import "./circle-back.ts"'],
  'sim/circle-back.ts': [],
  'sim/world.ts': ['import "./host.ts"'],
  'sim/host.ts': ['import type {} from "./world.ts"'],
  'examples/agent.ts': [
    'import "../src/index.ts"',
    'import "../src/agent/index.ts"',
    'import "../sim/index.ts"',
    'import "node:fs"',
  ],
  'test/a.test.ts': ['import "../src/runtime/node-runtime.ts"', 'import "../src/wire/bytes.ts"'],
  'node_modules/libsodium-wrappers/index.js': [],
  'node_modules/eventemitter3/index.js': [],
  'node_modules/left-pad/index.js': [],
}

/** Each breaks one rule, in a file of its own, so that all can be judged in one go. */
const BREACHES: [rule: string, file: string, statement: string][] = [
  ['membership-imports-downwards', 'src/membership/x.ts', 'import "../network-state/log.ts"'],
  ['membership-imports-downwards', 'src/membership/types.ts', 'import type { X } from "../cluster.ts"'],
  [
    'network-state-imports-downwards',
    'src/network-state/x.ts',
    'export { X } from "../membership/member.ts"',
  ],
  [
    'dissemination-imports-downwards',
    'src/dissemination/x.ts',
    'import { X } from "../membership/member.ts"',
  ],
  ['dissemination-imports-downwards', 'src/dissemination/y.ts', 'import "../options.ts"'],
  ['topology-imports-downwards', 'src/topology/x.ts', 'import type { X } from "../dissemination/gossip.ts"'],
  ['topology-imports-downwards', 'src/topology/y.ts', 'import "../security/seal.ts"'],
  ['security-imports-downwards', 'src/security/x.ts', 'import "../topology/vivaldi.ts"'],
  ['wire-imports-downwards', 'src/wire/x.ts', 'import type { X } from "../security/seal.ts"'],
  ['agent-imports-downwards', 'src/agent/x.ts', 'import type { X } from "../cluster.ts"'],
  ['core-is-pure', 'src/agent/y.ts', 'import "node:fs"'],
  ['examples-are-users', 'examples/z.ts', 'import "../src/agent/reconciler.ts"'],
  ['runtime-imports-downwards', 'src/runtime/node-x.ts', 'import "../wire/bytes.ts"'],
  ['errors-imports-nothing', 'src/errors.ts', 'import type { X } from "./runtime/runtime.ts"'],
  ['nothing-above-index', 'src/joining.ts', 'import type { X } from "./index.ts"'],
  ['platform-comes-from-above', 'src/options.ts', 'import type { X } from "./runtime/node-runtime.ts"'],
  ['platform-comes-from-above', 'src/runtime/scoped.ts', 'import "./node-runtime.ts"'],
  ['platform-comes-from-above', 'sim/run.ts', 'import "../src/runtime/node-runtime.ts"'],
  ['core-is-pure', 'src/membership/clock.ts', 'import "node:timers"'],
  ['core-is-pure', 'src/wire/net.ts', 'import type { Socket } from "node:net"'],
  ['core-is-pure', 'src/metrics.ts', 'import "events"'],
  ['core-is-pure', 'src/events.ts', 'export const fs = () => import("node:fs")'],
  ['few-packages', 'src/wire/pad.ts', 'import "left-pad"'],
  ['sodium-in-security-only', 'src/wire/seal.ts', 'import type { X } from "libsodium-wrappers"'],
  ['src-stands-alone', 'src/demo.ts', 'import type { X } from "../sim/index.ts"'],
  ['sim-stands-on-src', 'sim/x.ts', 'import "../examples/agent.ts"'],
  ['examples-are-users', 'examples/x.ts', 'import type { X } from "../src/cluster.ts"'],
  ['examples-are-users', 'examples/y.ts', 'import "../sim/world.ts"'],
  ['no-circles', 'src/wire/circle-back.ts', 'import type { X } from "./circle.ts"'],
  ['no-loading-in-circles', 'sim/circle-back.ts', 'import "./circle.ts"'],
  ['everything-resolves', 'src/wire/lost.ts', 'import "./nowhere.ts"'],
]

function write(root: string, fixture: Fixture): void {
  for (const [path, lines] of Object.entries(fixture)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${lines.join('\n')}\nexport interface X {}\n`)
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rooms-'))
  write(join(directory, 'clean'), CLEAN)
  const broken = structuredClone(CLEAN)
  for (const [, file, statement] of BREACHES) broken[file] = [...(broken[file] ?? []), statement]
  write(join(directory, 'broken'), broken)
  violations = await judge(join(directory, 'broken'), ['src', 'sim', 'examples', 'test'])
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the check of the rooms', () => {
  it('finds nothing in a tidy house', async () => {
    expect(await judge(join(directory, 'clean'), ['src', 'sim', 'examples', 'test'])).toEqual([])
  })

  it.each(BREACHES)('finds a breach of %s in %s: %s', (rule, from) => {
    expect(violations.filter((violation) => violation.from === from).map((found) => found.rule)).toContain(
      rule,
    )
  })

  it('finds breaches nowhere else', () => {
    const files = new Set(BREACHES.map(([, file]) => file))
    expect(violations.filter(({ from }) => !files.has(from))).toEqual([])
  })

  it('finds nothing in this house', async () => {
    expect(await judge(HOUSE, ['src', 'sim', 'examples'])).toEqual([])
  })
})
