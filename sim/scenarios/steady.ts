import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, startAll } from './common.ts'

export const steady: Scenario<CommonName> = {
  name: 'steady',
  docs: 'A cluster in which nothing happens: what it costs, and whom it wrongly suspects.',
  parameters: COMMON,
  async run(context) {
    await startAll(context)
    beginMeasuring(context)
    context.progress('nothing happens')
    await fillMinutes(context, 60_000)
  },
}
