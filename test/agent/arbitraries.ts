import fc from 'fast-check'
import type { OverlayRow } from '../../src/agent/overlay-rows.ts'

/** Small pools, so that values meet: the same IP on two hosts, the same MAC under two IPs. */
export const ip: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((n) => `10.42.0.${n}`),
  fc.integer({ min: 1, max: 3 }).map((n) => `fd42::${n}`),
)
export const mac: fc.Arbitrary<string> = fc.integer({ min: 1, max: 6 }).map((n) => `02:42:00:00:00:0${n}`)
export const vtep: fc.Arbitrary<string> = fc.integer({ min: 1, max: 4 }).map((n) => `10.77.0.${n}`)
export const owner: fc.Arbitrary<string> = fc.constantFrom('h1', 'h2', 'h3', 'h4')

export const row: fc.Arbitrary<OverlayRow> = fc.oneof(
  fc.record({ table: fc.constant('fdb' as const), mac, vtep }),
  fc.record({ table: fc.constant('fdb' as const), mac, vtep, oddity: fc.constant('port 53') }),
  fc.record({ table: fc.constant('port' as const), mac }),
  fc.record({ table: fc.constant('neighbour' as const), ip, mac }),
)
