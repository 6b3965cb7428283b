/** Whether a value may stand in a field. */
export type Check = (value: unknown) => boolean

/** What may stand in each field; a field that may be missing takes `undefined`. */
export type Fields = Readonly<Record<string, Check>>

export const flag: Check = (value) => typeof value === 'boolean'

export const anyText: Check = (value) => typeof value === 'string'

/** A number from `min` to `max`. */
export function number(min: number, max: number): Check {
  return (value) => typeof value === 'number' && value >= min && value <= max
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Check {
  return (value) => Number.isSafeInteger(value) && number(min, max)(value)
}

export function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}

export function oneOf(values: Iterable<unknown>): Check {
  const known = new Set(values)
  return (value) => known.has(value)
}

/** An array of so many values. */
export function list(check: Check, min = 0, max: number = Number.POSITIVE_INFINITY): Check {
  return (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every((item) => check(item))
}

/** An array in which nothing stands twice. */
export function distinct(check: Check, min: number, max?: number): Check {
  const isList = list(check, min, max)
  return (value) => isList(value) && new Set(value as unknown[]).size === (value as unknown[]).length
}

/** What is wrong with an object that is to have these fields and no others; undefined if nothing is. */
export function faultOf(value: unknown, fields: Fields): string | undefined {
  if (!isObject(value)) return 'is not an object'
  for (const [name, check] of Object.entries(fields)) {
    if (!check(value[name])) return `has no valid ${name}: ${brief(value[name])}`
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name))
  return unknown === undefined ? undefined : `has a field that it cannot have: ${brief(unknown)}`
}

/** The same for one of several kinds of objects, whose `kind` says which fields it has beside those that `all` have. */
export function faultOfKind(
  value: unknown,
  kinds: Readonly<Record<string, Fields>>,
  all: Fields,
): string | undefined {
  if (!isObject(value)) return 'is not an object'
  const { kind } = value
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) {
    return `is of no known kind: ${brief(kind)}; there are ${Object.keys(kinds).join(', ')}`
  }
  const fault = faultOf(value, { ...all, kind: anyText, ...kinds[kind] })
  return fault && `(${kind}) ${fault}`
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const MOST_SHOWN = 60

/** A value as it stands in a message: on one line, and not long. */
function brief(value: unknown): string {
  const json = JSON.stringify(value) ?? 'undefined'
  return json.length > MOST_SHOWN ? `${json.slice(0, MOST_SHOWN)}…` : json
}
