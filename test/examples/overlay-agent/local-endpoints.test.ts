import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LocalEndpoints } from '../../../examples/overlay-agent/local-endpoints.ts'
import { ip, mac } from '../../agent/arbitraries.ts'

it('an IP of the host is where it was put last, and each endpoint has what was not taken from it', () => {
  const put = fc.record({ mac, ips: fc.uniqueArray(ip, { maxLength: 4 }) })
  const step = fc.oneof(put, fc.record({ mac, ips: fc.constant(undefined) }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const endpoints = new LocalEndpoints()
      const stations = new Set<string>()
      const addresses = new Map<string, string>()
      for (const { mac, ips } of steps) {
        const had = [...addresses].filter(([, owner]) => owner === mac).map(([ip]) => ip)
        for (const ip of had) addresses.delete(ip)
        if (ips === undefined) {
          expect(endpoints.delete(mac)?.toSorted()).toEqual(stations.delete(mac) ? had.toSorted() : undefined)
          continue
        }
        expect(endpoints.put(mac, ips).toSorted()).toEqual(had.filter((ip) => !ips.includes(ip)).toSorted())
        stations.add(mac)
        for (const ip of ips) addresses.set(ip, mac)
      }
      expect(new Set(endpoints.stations())).toEqual(stations)
      expect(new Map(endpoints.addresses())).toEqual(addresses)
      expect(endpoints.size).toBe(stations.size)
      for (const { mac, ips } of endpoints.toJSON()) for (const ip of ips) expect(addresses.get(ip)).toBe(mac)
    }),
  )
})
