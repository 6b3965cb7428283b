import { expect, it } from 'vitest'
import { Agreement } from '../../src/network-state/agreement.ts'

const OURS = 1
const OTHER = 2

it('five peers in a row that have the same state stand for many', () => {
  const agreement = new Agreement()
  const heard = Array.from({ length: 6 }, (_, i) => agreement.heard(OURS, OURS, `p${i}`, 100))
  expect(heard).toEqual([false, false, false, false, true, true])
})

it('where there are fewer, all of them', () => {
  const agreement = new Agreement()
  expect(agreement.heard(OURS, OURS, 'a', 2)).toBe(false)
  expect(agreement.heard(OURS, OURS, 'b', 2)).toBe(true)
})

it('one peer counts once', () => {
  const agreement = new Agreement()
  for (let i = 0; i < 20; i++) expect(agreement.heard(OURS, OURS, 'a', 2)).toBe(false)
})

it('one that differs, and a change of our own, begin the row anew', () => {
  const differs = new Agreement()
  differs.heard(OURS, OURS, 'a', 2)
  expect(differs.heard(OURS, OTHER, 'b', 2)).toBe(false)
  expect(differs.heard(OURS, OURS, 'b', 2)).toBe(false)
  const changed = new Agreement()
  changed.heard(OURS, OURS, 'a', 2)
  expect(changed.heard(OTHER, OTHER, 'b', 2)).toBe(false)
})

it('with no peers there is nobody to agree', () => {
  expect(new Agreement().heard(OURS, OTHER, 'a', 0)).toBe(false)
})
