type Keys = readonly Uint8Array[]

/** What all nodes are started with at first. */
const FIRST: Keys = [new Uint8Array(32).fill(7)]

/** The keys of the nodes of a run, as their applications keep them from one start to the next. */
export class SoakKeys {
  readonly #kept = new Map<string, Keys>()

  of(node: string): Keys {
    return this.#kept.get(node) ?? FIRST
  }

  keep(node: string, keys: Keys): void {
    this.#kept.set(node, keys)
  }

  /** Those of the nodes that hold no key of the ring that most hold; or all that do not seal as most do. */
  strangers(nodes: readonly string[], others: boolean): string[] {
    const ring = this.#ringOf(nodes)
    return nodes.filter((node) => {
      const keys = this.of(node)
      if (others) return !same(keys[0]!, ring[0]!)
      return !keys.some((key) => ring.some((other) => same(key, other)))
    })
  }

  /** Gives a node the keys that most hold, for its next start. */
  give(node: string, nodes: readonly string[]): void {
    this.#kept.set(node, this.#ringOf(nodes))
  }

  /** In the end all seal with one key. */
  *disagreements(nodes: readonly string[]): Generator<string> {
    const [first] = this.#ringOf(nodes)
    for (const node of nodes)
      if (!same(this.of(node)[0]!, first!)) yield `${node} seals with a key of its own`
  }

  #ringOf(nodes: readonly string[]): Keys {
    const sealing = (key: Uint8Array): number => nodes.filter((node) => same(this.of(node)[0]!, key)).length
    const rings = nodes.map((node) => this.of(node))
    return rings.reduce((most, ring) => (sealing(ring[0]!) > sealing(most[0]!) ? ring : most))
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}
