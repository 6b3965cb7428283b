import fc from 'fast-check'
import type { KernelFaults } from './faulty-kernel.ts'

/** What may befall the hosts. Numbers are taken modulo what there is: hosts, addresses, stations. */
export type Step =
  | { readonly do: 'attach'; readonly host: number; readonly ip: number; readonly mac: number }
  | { readonly do: 'detach'; readonly host: number; readonly ip: number }
  /** An address goes from whoever has it to another host, which claims it before the old one lets go, or after. */
  | {
      readonly do: 'move'
      readonly ip: number
      readonly to: number
      readonly mac: number
      readonly claimFirst: boolean
    }
  /** One host takes another for failed, or for returned. */
  | { readonly do: 'fail' | 'return'; readonly host: number; readonly owner: number }
  /** The process of a host dies; its kernel lives on. */
  | { readonly do: 'crash'; readonly host: number }
  /** It comes back with the endpoints that it had, having asked another host, or nobody, for the state. */
  | { readonly do: 'restart'; readonly host: number; readonly asks: number }
  /** News arrive: any of those under way, in any order, at times twice. */
  | { readonly do: 'deliver'; readonly count: number; readonly pick: number }
  | { readonly do: 'drop'; readonly count: number; readonly pick: number }
  | { readonly do: 'sync'; readonly host: number; readonly other: number }
  | { readonly do: 'break'; readonly host: number; readonly how: keyof KernelFaults; readonly times: number }
  | { readonly do: 'lose device'; readonly host: number }
  /** Somebody falsifies rows, deletes them, or adds some that look like ours. */
  | {
      readonly do: 'tamper'
      readonly host: number
      readonly how: 'falsify' | 'delete' | 'add'
      readonly pick: number
    }
  | { readonly do: 'learn'; readonly host: number; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }

export interface Interleaving {
  readonly seed: number
  readonly hosts: number
  readonly steps: readonly Step[]
  /** Which of those that are down at the end come back. */
  readonly returning: number
}

const any = fc.nat(999)

function step<K extends Step['do']>(what: K, fields: object): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constant(what), ...fields }) as unknown as fc.Arbitrary<Step>
}

const claims: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: step('attach', { host: any, ip: any, mac: any }) },
  { weight: 2, arbitrary: step('detach', { host: any, ip: any }) },
  { weight: 4, arbitrary: step('move', { ip: any, to: any, mac: any, claimFirst: fc.boolean() }) },
)

const owners: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: step('fail', { host: any, owner: any }) },
  { weight: 3, arbitrary: step('return', { host: any, owner: any }) },
  { weight: 1, arbitrary: step('crash', { host: any }) },
  { weight: 2, arbitrary: step('restart', { host: any, asks: any }) },
)

const news: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: step('deliver', { count: fc.integer({ min: 1, max: 6 }), pick: any }) },
  { weight: 1, arbitrary: step('drop', { count: fc.integer({ min: 1, max: 3 }), pick: any }) },
  { weight: 1, arbitrary: step('sync', { host: any, other: any }) },
)

const kernels: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: step('break', {
      host: any,
      how: fc.constantFrom<keyof KernelFaults>(
        'failDumps',
        'breakApplies',
        'refuseLines',
        'ignoreApplies',
        'blameApplies',
        'loseReports',
        'delayReports',
      ),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: step('lose device', { host: any }) },
  {
    weight: 3,
    arbitrary: step('tamper', {
      host: any,
      how: fc.constantFrom('falsify', 'delete', 'add'),
      pick: any,
    }),
  },
  { weight: 1, arbitrary: step('learn', { host: any, pick: any }) },
)

const wait: fc.Arbitrary<Step> = step('wait', { ms: fc.oneof(fc.nat(20), fc.nat(20), fc.nat(400)) })

export const interleaving: fc.Arbitrary<Interleaving> = fc.record({
  seed: fc.nat(),
  hosts: fc.integer({ min: 2, max: 4 }),
  steps: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: claims },
      { weight: 6, arbitrary: news },
      { weight: 3, arbitrary: owners },
      { weight: 3, arbitrary: kernels },
      { weight: 4, arbitrary: wait },
    ),
    { minLength: 5, maxLength: 60, size: 'max' },
  ),
  returning: any,
})
