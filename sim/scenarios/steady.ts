import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, startAll } from './common.ts'

export const steady: Scenario<CommonName> = {
  name: 'steady',
  docs: 'A cluster in which nothing happens: what it costs, and whom it wrongly suspects.',
  page:
    'All nodes start one after another and stay. Measured: the time until everyone knows everyone, ' +
    'and from then on what each node sends, whom it suspects and whom it declares failed. On a quiet ' +
    'network there must be none of these.',
  parameters: COMMON,
  lastsMs: () => 60_000,
  async run(context) {
    await startAll(context)
    beginMeasuring(context)
    context.progress('nothing happens')
    await fillMinutes(context, 60_000)
  },
}
