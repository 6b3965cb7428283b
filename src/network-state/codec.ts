/** How values of a table become bytes and back. Both may throw; see `Table`. */
export interface Codec<V> {
  encode(value: V): Uint8Array
  decode(bytes: Uint8Array): V
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** The codec of a table for which none was given. */
export const JSON_CODEC: Codec<unknown> = {
  encode(value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`A value of type ${typeof value} has no JSON.`)
    return encoder.encode(text)
  },
  decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
}
