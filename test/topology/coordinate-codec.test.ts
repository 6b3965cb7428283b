import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isValidCoordinate, ORIGIN } from '../../src/topology/coordinate.ts'
import { MAX_COORDINATE_BYTES, readCoordinate, writeCoordinate } from '../../src/topology/coordinate-codec.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { MAX_COORDINATE_BYTES as MAX_IN_ACK } from '../../src/wire/messages.ts'
import { coordinate } from './arbitraries.ts'

describe('the encoding of a coordinate', () => {
  it('keeps lengths to the microsecond and the error to the hundredth', () => {
    fc.assert(
      fc.property(coordinate, (place) => {
        const bytes = writeCoordinate(new Writer(), place).copy()
        const reader = new Reader(bytes)
        const read = readCoordinate(reader)
        expect(reader.failed || reader.remaining > 0).toBe(false)
        const lengths = [...place.vector, place.height, place.adjustment]
        for (const [i, length] of [...read.vector, read.height, read.adjustment].entries()) {
          expect(Math.abs(length - lengths[i]!)).toBeLessThanOrEqual(0.000501)
        }
        expect(Math.abs(read.error - place.error)).toBeLessThanOrEqual(0.00501)
      }),
    )
  })

  it('is short, never longer than announced, and fits its field of an ack', () => {
    const size = (vector: number[]): number =>
      writeCoordinate(new Writer(), { vector, height: 0.2, error: 0.1, adjustment: -0.1 }).length
    expect(size([0.4, -0.3, 0.2, -0.1, 0.3, 0.1, -0.4, 0.2])).toBeLessThanOrEqual(21)
    expect(size([40, -30, 20, -10, 30, 10, -40, 20])).toBeLessThanOrEqual(33)
    fc.assert(
      fc.property(coordinate, (place) => {
        expect(writeCoordinate(new Writer(), place).length).toBeLessThanOrEqual(MAX_COORDINATE_BYTES)
      }),
    )
    expect(MAX_COORDINATE_BYTES).toBeLessThanOrEqual(MAX_IN_ACK)
  })

  it('is read as a valid coordinate with this very encoding, or refused, whatever the bytes', () => {
    const damaged = fc
      .tuple(coordinate, fc.nat(MAX_COORDINATE_BYTES), fc.nat(255))
      .map(([place, at, byte]) => {
        const bytes = writeCoordinate(new Writer(), place).copy()
        bytes[at % bytes.length] = byte
        return bytes
      })
    let accepted = 0
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 48 }), damaged), (bytes) => {
        const reader = new Reader(bytes)
        const place = readCoordinate(reader)
        expect(isValidCoordinate(place)).toBe(true)
        if (reader.failed) {
          expect(place).toBe(ORIGIN)
        } else {
          accepted++
          expect(writeCoordinate(new Writer(), place).copy()).toEqual(bytes.slice(0, reader.position))
        }
      }),
      { numRuns: 1000 },
    )
    expect(accepted).toBeGreaterThan(20)
  })
})
