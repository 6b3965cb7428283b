import type { Scenario } from '../scenario.ts'
import { churn } from './churn.ts'
import type { CommonName } from './common.ts'
import { crash } from './crash.ts'
import { entryBurst } from './entry-burst.ts'
import { entryChurn } from './entry-churn.ts'
import { joinStorm } from './join-storm.ts'
import { keyRotation } from './key-rotation.ts'
import { lateJoiner } from './late-joiner.ts'
import { lossy } from './lossy.ts'
import { massFailure } from './mass-failure.ts'
import { oneWayLoss } from './one-way-loss.ts'
import { overload } from './overload.ts'
import { partitionHeal } from './partition-heal.ts'
import { rollingRestart } from './rolling-restart.ts'
import { singleStall } from './single-stall.ts'
import { slowNodes } from './slow-nodes.ts'
import { steady } from './steady.ts'
import { wan } from './wan.ts'

/** Any scenario that ships: all of them have the common parameters. */
export type AnyScenario = Scenario<CommonName>

export const SCENARIOS: readonly AnyScenario[] = [
  steady,
  joinStorm,
  crash,
  massFailure,
  rollingRestart,
  partitionHeal,
  singleStall,
  slowNodes,
  overload,
  lossy,
  oneWayLoss,
  churn,
  entryBurst,
  entryChurn,
  lateJoiner,
  wan,
  keyRotation,
] as AnyScenario[]
