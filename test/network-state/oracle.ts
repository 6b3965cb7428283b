import type { Item, OwnerLog } from '../../src/network-state/owner-log.ts'

/** All operations that an owner numbered in one epoch: operation `seq` at `seq - 1`. */
export type History = readonly Item[]

const NO_VALUE = Uint8Array.of()

export function set(seq: number, key: string, stamp: number = seq): Item {
  return { seq, key, value: NO_VALUE, stamp }
}

export function del(seq: number, key: string, stamp: number = seq): Item {
  return { seq, key, value: undefined, stamp }
}

/** Reads `a@1` as a set and `-a@2` as a delete. */
export function op(text: string): Item {
  const [key = '', seq = ''] = text.replace('-', '').split('@')
  return text.startsWith('-') ? del(Number(seq), key) : set(Number(seq), key)
}

export function print({ seq, key, value }: Item): string {
  return `${value === undefined ? '-' : ''}${key}@${seq}`
}

function printAll(items: Iterable<Item>): string {
  return [...items]
    .sort((a, b) => a.seq - b.seq)
    .map(print)
    .join(' ')
}

/** The numbers that a log knows, as text. */
export function known(log: OwnerLog | undefined): string {
  return log === undefined
    ? 'none'
    : `${log.id.time}.${log.id.nonce}:${log.contiguous}+${log.ranges.pairs.join(',')}`
}

/** What must be equal at equal known numbers, as text. A log of which nothing is known is as good as none. */
export function state(log: OwnerLog | undefined): string {
  if (log === undefined || log.empty) return 'none'
  return `${known(log)} [${printAll(log.live.values())}] [${printAll(log.tombs.values())}]`
}

/** All there is in a log, as text. */
export function dump(log: OwnerLog | undefined): string {
  if (log === undefined) return 'none'
  const shadow = log.shadow === undefined ? '' : printAll(log.shadow.values())
  return `${log.base} ${known(log)} ${state(log)} [${log.dels.map(print).join(' ')}] ${log.floor} [${shadow}]`
}

/** The state that a log must be in, recomputed from the history and the numbers that it knows. */
function expected(log: OwnerLog, history: History): { live: Item[]; tombs: Item[]; dels: Item[] } {
  const last = new Map<string, Item>()
  for (const item of history) if (log.knows(item.seq)) last.set(item.key, item)
  const of = [...last.values()]
  const deletes = of.filter(({ value }) => value === undefined)
  return {
    live: of.filter(({ value }) => value !== undefined),
    tombs: deletes.filter(({ seq }) => seq > log.contiguous),
    dels: deletes.filter(({ seq }) => seq <= log.contiguous && seq >= log.floor),
  }
}

/** The first rule that a log breaks, in words; undefined if it keeps them all. */
export function violation(log: OwnerLog, history: History): string | undefined {
  const { pairs } = log.ranges
  let line = log.contiguous
  for (const [index, bound] of pairs.entries()) {
    if (bound < line + (index % 2 === 0 ? 2 : 0)) return `ranges out of form: ${known(log)}`
    line = bound
  }
  if (line > history.length) return `knows what was never written: ${known(log)}`

  const should = expected(log, history)
  if (!holds(log.live, should.live)) {
    return `not exact: live is ${printAll(log.live.values())}, known ${known(log)} means ${printAll(should.live)}`
  }
  if (!holds(log.tombs, should.tombs)) {
    return `not exact: tombs are ${printAll(log.tombs.values())}, known ${known(log)} means ${printAll(should.tombs)}`
  }
  const dels = new Set(log.dels.map(({ seq }) => seq))
  const missing = should.dels.find(({ seq }) => !dels.has(seq))
  if (missing !== undefined) return `delete log lacks ${print(missing)} above its floor ${log.floor}`
  if (log.dels.some(({ seq }, index) => index > 0 && seq <= log.dels[index - 1]!.seq))
    return 'delete log not ascending'

  for (const key of log.shadow?.keys() ?? []) {
    if (log.live.has(key) || log.tombs.has(key)) return `shadow holds ${key}, which this epoch has touched`
  }
  if (log.shadow !== undefined && log.contiguous >= log.base) return 'shadow outlives the opening snapshot'
  return undefined
}

function holds(map: ReadonlyMap<string, Item>, items: readonly Item[]): boolean {
  return map.size === items.length && items.every((item) => map.get(item.key)?.seq === item.seq)
}
