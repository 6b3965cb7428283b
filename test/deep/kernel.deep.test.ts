import { expect, it } from 'vitest'
import { describeOnKernel } from '../namespaces/requirements.ts'
import { soak } from '../soak/kernel-soak.ts'
import { told } from '../soak/schedule.ts'

const SEED = 1
/** The last of these begin on a lab of more hosts, over IPv6. */
const FIRST = 18
const COUNT = 4

describeOnKernel('agents on real kernels', () => {
  it('end right after random schedules: tables as the model has them, and pings to the attached only', async () => {
    let played = 0
    for await (const { schedule, steps, faults } of soak(SEED, FIRST, COUNT)) {
      const replay = `npm run soak:kernel -- --seed ${SEED} --schedule ${schedule}`
      expect(faults, [replay, ...steps.map(told)].join('\n')).toEqual([])
      played++
    }
    expect(played).toBe(COUNT)
  })
})
