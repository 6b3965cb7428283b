import fc from 'fast-check'
import type { Endpoint } from '../../examples/overlay-agent/endpoints.ts'
import { parseIp, parseMac, parseVtep } from '../../src/agent/node-addresses.ts'
import type { OverlayRow } from '../../src/agent/overlay-rows.ts'

/** Small pools, so that values meet: the same IP on two hosts, the same MAC under two IPs. */
export const ip: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((n) => `10.42.0.${n}`),
  fc.integer({ min: 1, max: 3 }).map((n) => `fd42::${n}`),
)
export const mac: fc.Arbitrary<string> = fc.integer({ min: 1, max: 6 }).map((n) => `02:42:00:00:00:0${n}`)
export const vtep: fc.Arbitrary<string> = fc.integer({ min: 1, max: 4 }).map((n) => `10.77.0.${n}`)
export const owner: fc.Arbitrary<string> = fc.constantFrom('h1', 'h2', 'h3', 'h4')

/** Any well-formed endpoint. */
export const endpoint: fc.Arbitrary<Endpoint> = fc.record({
  ip: fc.oneof(fc.ipV4(), fc.ipV6()).map((text) => parseIp(text) ?? '10.42.0.1'),
  mac: fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':'))
    .map((text) => parseMac(text) ?? '02:42:00:00:00:01'),
  vtep: fc.oneof(fc.ipV4(), fc.ipV6()).map((text) => parseVtep(text) ?? '10.77.0.1'),
})

/** An entry of the table, with its owner. */
export const entry: fc.Arbitrary<[string, { value: Endpoint; owner: string }]> = fc
  .record({ ip, mac, vtep, owner })
  .map(({ ip, mac, vtep, owner }) => [ip, { value: { ip, mac, vtep }, owner }])

export const row: fc.Arbitrary<OverlayRow> = fc.oneof(
  fc.record({ table: fc.constant('fdb' as const), mac, vtep }),
  fc.record({ table: fc.constant('fdb' as const), mac, vtep, oddity: fc.constant('port 53') }),
  fc.record({ table: fc.constant('port' as const), mac }),
  fc.record({ table: fc.constant('neighbour' as const), ip, mac }),
)
