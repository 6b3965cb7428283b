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
  // Random probes are cheap while few are wanted of many; a walk from a random start finishes the rest.
  for (let tries = 0; tries < 2 * count && chosen.length < count && count < size; tries++) {
    const element = from[random() % size]!
    if (!chosen.includes(element) && accept(element)) chosen.push(element)
  }
  const start = random() % size
  for (let i = 0; i < size && chosen.length < count; i++) {
    const element = from[(start + i) % size]!
    if (!chosen.includes(element) && accept(element)) chosen.push(element)
  }
  return chosen
}
