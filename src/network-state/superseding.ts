import {
  type EntryEvent,
  MAX_SUPERSEDED_RANGES,
  NOTHING_SUPERSEDED,
  supersededBytes,
  supersededRoom,
} from '../wire/entry-event.ts'
import { compareEpochs } from '../wire/epoch.ts'
import { Ranges } from './ranges.ts'

/**
 * One event for two on the same key of one owner: the later one, which also names what the earlier one stood for. So an
 * event that takes another one's place in a queue leaves no gap behind it, but for what no longer fits a packet.
 */
export function superseding(one: EntryEvent, other: EntryEvent): EntryEvent {
  const epochs = compareEpochs(one.epoch, other.epoch)
  if (epochs !== 0) return epochs > 0 ? one : other
  const [earlier, later] = one.item.seq < other.item.seq ? [one, other] : [other, one]
  const numbers = Ranges.parse(later.superseded) ?? Ranges.none()
  addPairs(numbers, earlier.superseded)
  if (earlier.item.seq < later.item.seq) numbers.add(earlier.item.seq)
  return { ...later, superseded: fitting(later, numbers.pairs) }
}

function addPairs(numbers: Ranges, pairs: readonly number[]): void {
  for (let i = 0; i < pairs.length; i += 2) numbers.add(pairs[i]!, pairs[i + 1]!)
}

/** The highest ranges: what was written last is the likeliest not to have been sent. */
function fitting({ network, owner, item }: EntryEvent, pairs: readonly number[]): readonly number[] {
  const room = supersededRoom(network, owner, item)
  let kept = pairs.slice(-2 * MAX_SUPERSEDED_RANGES)
  while (supersededBytes(item.seq, kept) > room) kept = kept.slice(2)
  return kept.length === 0 ? NOTHING_SUPERSEDED : kept
}
