/** A member as the dissemination rooms see it: someone to send to. */
export interface Peer {
  readonly name: string
  readonly address: string
}

/**
 * Up to `count` distinct elements, uniformly, in random order; `random` draws integers in [0, 2^32).
 * `accept` may refuse elements; refused ones do not count.
 */
export function sample<T>(
  from: readonly T[],
  count: number,
  random: () => number,
  accept: (element: T) => boolean = () => true,
): T[] {
  const chosen: T[] = []
  const size = from.length
  if (size === 0 || count <= 0) return chosen
  // Random probes are cheap while few are wanted of many; a shuffle of those that are left finishes the rest.
  for (let tries = 0; tries < 2 * count && chosen.length < count && count < size; tries++) {
    const element = from[random() % size]!
    if (!chosen.includes(element) && accept(element)) chosen.push(element)
  }
  if (chosen.length === count) return chosen
  const left = from.filter((element) => !chosen.includes(element) && accept(element))
  while (left.length > 0 && chosen.length < count) {
    const at = random() % left.length
    chosen.push(left[at]!)
    left[at] = left[left.length - 1]!
    left.pop()
  }
  return chosen
}
