import { randomBytes } from 'node:crypto'
import { type FileHandle, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { platform } from 'node:process'
import { errorCode } from './node-faults.ts'
import type { SecretFile, SecretFiles } from './runtime.ts'

const OWNER_ONLY = 0o600
/** Group or others may read or write. */
const SHARED_BITS = 0o066

/** Files that only their owner is to read. Errors carry what the platform said as `cause`. */
export const nodeSecretFiles: SecretFiles = {
  async read(path: string, mostBytes: number): Promise<SecretFile> {
    const file = await open(path, 'r')
    try {
      const { mode, size } = await file.stat()
      // Something may write while this reads, and a pipe has no size.
      const bytes = new Uint8Array(Math.min(size, mostBytes) + 1)
      let length = 0
      for (;;) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length)
        length += bytesRead
        if (bytesRead === 0 || length === bytes.length) break
      }
      // Modes mean nothing on Windows.
      const shared = platform !== 'win32' && (mode & SHARED_BITS) !== 0
      return { bytes: bytes.subarray(0, length), shared }
    } finally {
      await file.close()
    }
  },

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const target = await targetOf(path)
    const beside = `${target}.${randomBytes(8).toString('hex')}.tmp`
    try {
      await createSecretFile(beside, bytes)
      await rename(beside, target)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
    await syncDirectory(dirname(target))
  },
}

/** Creates a file that nobody but its owner can read, not even for a moment. Rejects with `EEXIST` where there is one. */
export async function createSecretFile(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Where a symbolic link leads: what it points to is replaced, not the link. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return path
    throw error
  }
}

/** So that the rename outlives a loss of power; file systems that cannot do that are left in peace. */
async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined
  try {
    directory = await open(path, 'r')
    await directory.sync()
  } catch {
    // The file is there; nothing more can be done.
  } finally {
    await directory?.close()
  }
}
