import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What `reach` uses here. */
export function reachTool(): 'ping' | 'TCP echo' {
  pingInstalled ??= spawnSync('ping', ['-V']).status === 0
  return pingInstalled ? 'ping' : 'TCP echo'
}

/**
 * Whether one container reaches another, and the round trip in ms; undefined if no answer comes in time. A
 * ping where `ping` is installed. Elsewhere a TCP connection to a port that nobody listens on: the other
 * kernel's refusal is as good an echo, and needs no program.
 */
export async function reach(
  fromNamespace: string,
  ip: string,
  timeoutMs: number,
): Promise<number | undefined> {
  const ping = ['ping', '-n', '-c', '1', '-W', String(timeoutMs / 1000), ip]
  const knock = [process.execPath, '-e', KNOCK, ip, String(timeoutMs)]
  try {
    const command = reachTool() === 'ping' ? ping : knock
    const { stdout } = await run('ip', ['netns', 'exec', fromNamespace, ...command])
    return Number(/time=([\d.]+)/.exec(stdout)?.[1])
  } catch {
    return undefined
  }
}

let pingInstalled: boolean | undefined

const DISCARD_PORT = 9

/** Knocks twice: the first round trip is mostly Node getting under way. */
const KNOCK = `
  const [ip, timeoutMs] = process.argv.slice(1)
  const knock = (then) => {
    const startedAt = performance.now()
    const answered = () => then(performance.now() - startedAt)
    const socket = require('node:net').connect(${DISCARD_PORT}, ip, answered)
    socket.on('error', ({ code }) => code === 'ECONNREFUSED' ? answered() : process.exit(1))
  }
  knock(() => knock((ms) => {
    console.log('time=' + ms.toFixed(2))
    process.exit(0)
  }))
  setTimeout(() => process.exit(1), Number(timeoutMs))`
