import { lstat, mkdir, unlink } from 'node:fs/promises'
import { createConnection, type Server } from 'node:net'
import { dirname } from 'node:path'
import { ApiError } from './api-error.ts'

/** What the kernel takes, the terminating NUL apart. */
const MAX_PATH_BYTES = 107
const ANSWER_TIMEOUT_MS = 2_000

/**
 * Lets a server listen on a Unix socket that only its owner may open (mode 0600). One that a dead process
 * left behind is replaced. Rejects with `ERR_SOCKET_TAKEN` where a live process listens or the file is no
 * socket.
 */
export async function claimSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw taken(`the path of the socket has more than ${MAX_PATH_BYTES} bytes: ${path}`)
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    return await listen(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
  }
  if (!(await lstat(path)).isSocket()) throw taken(`${path} exists and is not a socket`)
  if (await isAnswered(path))
    throw taken(`another agent listens on ${path}; stop it, or choose another --socket`)
  await unlink(path)
  await listen(server, path)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // The file is made within `listen`, and with these rights from its first moment on.
    const umask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(umask)
    }
  })
}

/** Whether a process listens on a socket. One that is too busy to accept counts as well. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      end(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    )
    function end(answered: boolean): void {
      socket.destroy()
      resolve(answered)
    }
  })
}

function taken(message: string): ApiError {
  return new ApiError(409, 'ERR_SOCKET_TAKEN', message)
}
