import { describe, expect, it } from 'vitest'
import { NodeAddresses } from '../../src/runtime/node-addresses.ts'

describe('the addresses of a port', () => {
  it.each([
    ['0.0.0.0', ['10.0.0.2:1']],
    ['10.0.0.1', ['10.0.0.2:1']],
    ['fd00::1', ['[fd00::2]:1']],
    ['::', ['10.0.0.2:1', '[fd00::2]:1']],
  ])('bound to %s are those of the families that it reaches', (bound, reached) => {
    const addresses = new NodeAddresses(bound)
    const all = ['10.0.0.2:1', '[FD00::0:2]:1', 'name:1', '10.0.0.2:0', 'nonsense']
    for (const _ of ['parsed', 'remembered']) {
      expect(all.flatMap((text) => addresses.target(text)?.address ?? [])).toEqual(reached)
    }
  })

  it('are named in canonical form, mapped ones as IPv4, those with a zone not at all', () => {
    const addresses = new NodeAddresses('::')
    for (const _ of ['parsed', 'remembered']) {
      expect(addresses.name('::ffff:10.0.0.2', 7)).toBe('10.0.0.2:7')
      expect(addresses.name('::1.2.3.4', 7)).toBe('[::102:304]:7')
      expect(addresses.name('fe80::1%eth0', 7)).toBeUndefined()
    }
  })

  it('stay right when more are met than are remembered', () => {
    const addresses = new NodeAddresses('::')
    const names = (): (string | undefined)[] =>
      Array.from({ length: 20_000 }, (_, i) => addresses.name(`10.0.${i >> 8}.${i & 255}`, 7))
    expect(names()).toEqual(names())
    expect(new Set(names()).size).toBe(20_000)
  })
})
