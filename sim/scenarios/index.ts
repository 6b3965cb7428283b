import type { Scenario } from '../scenario.ts'
import type { CommonName } from './common.ts'
import { crash } from './crash.ts'
import { entryBurst } from './entry-burst.ts'
import { joinStorm } from './join-storm.ts'
import { partitionHeal } from './partition-heal.ts'
import { steady } from './steady.ts'

/** Any scenario that ships: all of them have the common parameters. */
export type AnyScenario = Scenario<CommonName>

export const SCENARIOS: readonly AnyScenario[] = [
  steady,
  crash,
  joinStorm,
  partitionHeal,
  entryBurst,
] as AnyScenario[]
