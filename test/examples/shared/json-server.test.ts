import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiError } from '../../../examples/shared/api-error.ts'
import { callJson, pathOf } from '../../../examples/shared/json-client.ts'
import { type JsonRequest, JsonServer } from '../../../examples/shared/json-server.ts'
import { HearsayError } from '../../../src/index.ts'

describe('JSON on a Unix socket', () => {
  let directory: string
  let path: string
  let server: JsonServer | undefined

  const echo = async (request: JsonRequest): Promise<unknown> => ({ ...request, query: [...request.query] })
  const listen = async (handler = echo): Promise<void> => {
    server = await JsonServer.listen(path, handler)
  }
  /** Sends bytes as they are, and resolves with whatever comes back until the connection ends. */
  const send = (bytes: Uint8Array | string): Promise<string> =>
    new Promise((resolve) => {
      let received = ''
      const socket = connect(path, () => socket.end(bytes))
      socket.setEncoding('utf8').on('data', (text: string) => {
        received += text
      })
      socket.on('error', () => {}).on('close', () => resolve(received))
    })

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
    path = join(directory, 'agent.sock')
  })
  afterEach(async () => {
    await server?.close()
    server = undefined
    rmSync(directory, { recursive: true })
  })

  it('hands over method, path, query and body, with names that contain anything', async () => {
    await listen()
    const answer = await callJson(path, 'PUT', `${pathOf('a/b', 'c?d', 'é')}?e=f%26`, { body: { g: [1] } })
    expect(answer).toEqual({
      method: 'PUT',
      path: ['a/b', 'c?d', 'é'],
      query: [['e', 'f&']],
      body: { g: [1] },
    })
    expect(await callJson(path, 'GET', '/')).toEqual({ method: 'GET', path: [], query: [] })
  })

  it('gives its caller the error that the handler threw: code, status and sentence', async () => {
    await listen(() => Promise.reject(new ApiError(409, 'ERR_CONFLICT', 'taken')))
    await expect(callJson(path, 'GET', '/')).rejects.toEqual(new ApiError(409, 'ERR_CONFLICT', 'taken'))
  })

  it('gives its caller the errors of Hearsay with their codes', async () => {
    await listen(() => Promise.reject(new HearsayError('ERR_NAME_CONFLICT', 'lost')))
    const expected = { status: 409, code: 'ERR_NAME_CONFLICT', message: 'lost' }
    await expect(callJson(path, 'GET', '/')).rejects.toMatchObject(expected)
  })

  it('answers what nobody foresaw with ERR_INTERNAL, and goes on', async () => {
    await listen(() => Promise.reject(new Error('oh')))
    const expected = { status: 500, code: 'ERR_INTERNAL', message: 'oh' }
    await expect(callJson(path, 'GET', '/')).rejects.toMatchObject(expected)
    await expect(callJson(path, 'GET', '/')).rejects.toMatchObject(expected)
  })

  it.each([
    ['no JSON', 'PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{a}'],
    ['an ill-formed escape', 'GET /%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['an ill-formed URL', 'GET //:x: HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
  ])('answers %s with ERR_REQUEST_INVALID', async (_, request) => {
    await listen()
    const answer = await send(request)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('ERR_REQUEST_INVALID')
  })

  it('takes no body of more than 64 KiB, and says so', async () => {
    await listen()
    const body = { a: 'x'.repeat(70_000) }
    await expect(callJson(path, 'PUT', '/', { body })).rejects.toMatchObject({
      status: 413,
      code: 'ERR_BODY_TOO_LARGE',
    })
    expect(await callJson(path, 'PUT', '/', { body: { a: 'x'.repeat(60_000) } })).toMatchObject({
      method: 'PUT',
    })
  })

  it('outlives any bytes at all', async () => {
    await listen()
    const bits = [
      'GET ',
      'PUT /',
      '/%',
      ' HTTP/1.1\r\n',
      'host: x\r\n',
      'content-length: 9\r\n',
      '\r\n',
      '{"a":',
      '\0',
    ]
    const request = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.oneof(fc.constantFrom(...bits), fc.string()), { maxLength: 12 }).map((all) => all.join('')),
    )
    await fc.assert(
      fc.asyncProperty(request, async (bytes) => {
        await send(bytes)
        expect(await callJson(path, 'GET', '/')).toMatchObject({ method: 'GET' })
      }),
      { numRuns: 150 },
    )
  })

  it('may be opened by its owner only', async () => {
    await listen()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('leaves no socket behind, and answers those who are waiting before it closes', async () => {
    let answer: (value: unknown) => void = () => {}
    await listen(
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    )
    const waiting = callJson(path, 'GET', '/')
    await expect.poll(() => answer.length).toBe(1)
    const closed = server?.close()
    answer({ late: true })
    expect(await waiting).toEqual({ late: true })
    await closed
    await expect(callJson(path, 'GET', '/')).rejects.toMatchObject({ code: 'ERR_NO_AGENT' })
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  it('takes the place of a socket whose process is dead', async () => {
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', code])
    expect(statSync(path).isSocket()).toBe(true)
    await listen()
    expect(await callJson(path, 'GET', '/')).toMatchObject({ method: 'GET' })
  })

  it('is refused where another process listens, and leaves that one alone', async () => {
    await listen()
    await expect(JsonServer.listen(path, echo)).rejects.toMatchObject({
      code: 'ERR_SOCKET_TAKEN',
      message: expect.stringContaining(path),
    })
    expect(await callJson(path, 'GET', '/')).toMatchObject({ method: 'GET' })
  })

  it('is refused where a file is no socket, and leaves that alone', async () => {
    writeFileSync(path, 'precious')
    await expect(listen()).rejects.toMatchObject({ code: 'ERR_SOCKET_TAKEN' })
    expect(statSync(path).isFile()).toBe(true)
  })

  it('is refused at a path that the kernel would cut off', async () => {
    path = join(directory, 'x'.repeat(108))
    await expect(listen()).rejects.toMatchObject({
      code: 'ERR_SOCKET_TAKEN',
      message: expect.stringContaining('107'),
    })
  })

  it('tells its caller when something else than an agent answers, or nobody does in time', async () => {
    const other = createServer((socket) => socket.resume().end('HTTP/1.1 200 OK\r\n\r\nhello'))
    await new Promise<void>((resolve) => other.listen(path, resolve))
    await expect(callJson(path, 'GET', '/')).rejects.toMatchObject({ code: 'ERR_ANSWER_INVALID' })
    await new Promise((resolve) => other.close(resolve))
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(path, resolve))
    await expect(callJson(path, 'GET', '/', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_NO_ANSWER',
    })
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(callJson(path, 'GET', '/', { signal })).rejects.toThrow('enough')
    silent.close()
  })
})
