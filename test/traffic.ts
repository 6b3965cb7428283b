import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { reachTool } from '../examples/lab/reach.ts'

/** A container of a lab. */
interface Source {
  readonly namespace: string
}

interface Target extends Source {
  readonly ip: string
}

/**
 * Pings at a steady pace from one container to another, until told to stop. Where there is no `ping` it knocks at a TCP
 * port, and what is answered at a later attempt only counts as lost.
 */
export class Pings {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  /** When each answer came, in s, by its number in the sequence. */
  readonly #answers = new Map<number, number>()

  constructor(from: Source, ip: string, intervalMs = 10) {
    const ping =
      reachTool() === 'ping'
        ? ['ping', '-n', '-D', '-i', String(intervalMs / 1000), ip]
        : [process.execPath, '-e', KNOCK, ip, String(intervalMs)]
    this.#child = spawn('ip', ['netns', 'exec', from.namespace, ...ping], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()))
    if (this.#child.stdout === null) return
    createInterface(this.#child.stdout).on('line', (line) => {
      const [, time, number] = /^\[([\d.]+)\] \d+ bytes .*icmp_seq=(\d+)/.exec(line) ?? []
      if (number !== undefined) this.#answers.set(Number(number), Number(time))
    })
  }

  get answered(): number {
    return this.#answers.size
  }

  /** How many were lost before the last one that was answered, and the longest time without an answer. */
  async stop(): Promise<{ answered: number; lost: number; longestGapMs: number }> {
    this.#child.kill('SIGINT')
    await this.#ended
    const times = [...this.#answers.values()].sort((a, b) => a - b)
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time))
    const answered = this.#answers.size
    return {
      answered,
      lost: Math.max(0, ...this.#answers.keys()) - answered,
      longestGapMs: Math.max(0, ...gaps) * 1000,
    }
  }
}

/**
 * Sends random bytes over one TCP connection, in `chunks` of 64 KiB with a pause after each, and resolves with the
 * digests of what was sent and of what arrived.
 */
export async function transfer(
  from: Source,
  to: Target,
  { chunks = 64, pauseMs = 0, port = 7000 }: { chunks?: number; pauseMs?: number; port?: number } = {},
): Promise<{ sent: string; arrived: string }> {
  const receiver = inNamespace(to, RECEIVE, [to.ip, String(port)])
  await receiver.line
  const sender = inNamespace(from, SEND, [to.ip, String(port), String(pauseMs)])
  const hash = createHash('sha256')
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = randomBytes(65_536)
    hash.update(bytes)
    sender.child.stdin?.write(bytes)
  }
  sender.child.stdin?.end()
  const [arrived] = await Promise.all([receiver.output, sender.output])
  return { sent: hash.digest('hex'), arrived: arrived.trim().split('\n').at(-1) ?? '' }
}

interface Script {
  readonly child: ChildProcess
  /** The first line that it prints. */
  readonly line: Promise<unknown>
  /** All that it prints, once it has ended. Rejects if it ends badly. */
  readonly output: Promise<string>
}

function inNamespace({ namespace }: Source, script: string, args: readonly string[]): Script {
  const command = ['netns', 'exec', namespace, process.execPath, '-e', script, ...args]
  const child = spawn('ip', command, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {})
  let text = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    text += data
  })
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    errors += data
  })
  const output = new Promise<string>((resolve, reject) => {
    child.once('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(errors || `exit code ${code}`)),
    )
  })
  return {
    child,
    line: Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), output]),
    output,
  }
}

/** In time is what is answered before the second attempt of TCP, a second later. */
const KNOCK = `
  const [ip, intervalMs] = process.argv.slice(1)
  let number = 0
  setInterval(() => {
    const mine = ++number
    const startedAt = Date.now()
    const socket = require('node:net').connect(9, ip)
    socket.on('error', ({ code }) => {
      if (code === 'ECONNREFUSED' && Date.now() - startedAt < 1_000) {
        console.log('[' + Date.now() / 1000 + '] 0 bytes by TCP: icmp_seq=' + mine)
      }
    })
  }, Number(intervalMs))`

const RECEIVE = `
  const [ip, port] = process.argv.slice(1)
  const hash = require('node:crypto').createHash('sha256')
  const server = require('node:net').createServer((socket) => {
    server.close()
    socket.on('data', (bytes) => hash.update(bytes)).on('end', () => {
      console.log(hash.digest('hex'))
      socket.end()
    })
  })
  server.listen(Number(port), ip, () => console.log('listening'))`

const SEND = `
  const [ip, port, pauseMs] = process.argv.slice(1)
  const { setTimeout: sleep } = require('node:timers/promises')
  const socket = require('node:net').connect(Number(port), ip, async () => {
    for await (const bytes of process.stdin) {
      if (!socket.write(bytes)) await new Promise((resolve) => socket.once('drain', resolve))
      if (pauseMs > 0) await sleep(Number(pauseMs))
    }
    socket.end()
  })
  socket.resume()`
