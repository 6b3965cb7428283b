import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMED = '/var/run/netns'
const OWNED = /^hearsay-(\d+)-(\d+)-[0-9a-f]+(?=-|$)/

/**
 * Everything that one lab makes outside of a namespace: the namespaces' names and a directory for files. All
 * of them begin with the lab's id, which carries the process that made them: labs never collide, and what a
 * killed process left behind is known as such.
 */
export class Premises {
  /** Namespaces of the lab are named `<id>-<something>`. */
  readonly id = `hearsay-${process.pid}-${startTimeOf(process.pid)}-${randomBytes(3).toString('hex')}`
  /** For files; there once `open` has been called. */
  readonly directory: string = join(tmpdir(), this.id)
  readonly #onExit = (): void => this.remove()
  #janitor: ChildProcess | undefined

  /**
   * From here on everything is removed in whatever way this process ends: after a SIGKILL a janitor does it,
   * who notices that the other end of its input is gone. It is not in our process group, so no Ctrl-C reaches
   * it.
   */
  open(): void {
    mkdirSync(this.directory, { mode: 0o700 })
    process.once('exit', this.#onExit)
    const args = ['-c', `cat; ${REMOVE}`, 'sh', this.id, this.directory]
    this.#janitor = spawn('sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    this.#janitor.unref()
    // Typed as a stream, and a socket in fact: it must not keep us alive.
    ;(this.#janitor.stdin as Socket).unref()
  }

  /**
   * Ends every process in the namespaces and removes them, with all that is in them. Idempotent, never
   * throws.
   */
  remove(): void {
    process.off('exit', this.#onExit)
    removePremises(this.id)
    this.#janitor?.stdin?.end()
  }
}

/** Removes the labs of processes that are gone, and no others. */
export function removeAbandoned(): void {
  const ids = new Set<string>()
  for (const name of [...namespaces(), ...readdirSync(tmpdir())]) {
    const [id, pid, startTime] = OWNED.exec(name) ?? []
    if (id !== undefined && startTimeOf(Number(pid)) !== startTime) ids.add(id)
  }
  for (const id of ids) removePremises(id)
}

/** What is left of the labs of this process: names of namespaces, directories, processes. */
export function leftovers(): string[] {
  const prefix = `hearsay-${process.pid}-${startTimeOf(process.pid)}-`
  const isOurs = (name: string): boolean => name.startsWith(prefix)
  const commands = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && commandOf(name).includes(prefix),
  )
  return [
    ...namespaces()
      .filter(isOurs)
      .map((name) => `namespace ${name}`),
    ...readdirSync(tmpdir())
      .filter(isOurs)
      .map((name) => `directory ${name}`),
    ...commands.map((pid) => `process ${pid}: ${commandOf(pid)}`),
  ]
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** The names of all network namespaces of this machine, of labs and others. */
export function namespaces(): string[] {
  try {
    return readdirSync(NAMED)
  } catch {
    return []
  }
}

/** Commands for `ip -batch`, in one namespace or, without a name, in that of this process. */
export interface Batch {
  readonly namespace?: string
  readonly lines: readonly string[]
}

/** Runs one batch after another, in a single process of ours. Throws at the first line that fails. */
export function runBatches(batches: readonly Batch[]): void {
  const script = batches
    .filter(({ lines }) => lines.length > 0)
    .map(({ namespace, lines }) => {
      const place = namespace === undefined ? '' : `-netns ${namespace} `
      return `ip ${place}-batch - <<'END'\n${lines.join('\n')}\nEND\n`
    })
  runScript(script.join(''))
}

/** Runs a shell script that ends at its first failing command, and throws what that said. */
export function runScript(script: string): void {
  execFileSync('sh', ['-e'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** When a process started, in ticks since boot: with its id, a name that is never used twice. */
function startTimeOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')
    return fields?.[19]
  } catch {
    return undefined
  }
}

/** Looks again after it has killed, for what was just being forked; and gives up on what cannot be killed. */
const REMOVE = `
  id=$1 directory=$2
  inside=" $(stat -Lc %i ${NAMED}/"$id"-* 2>&- | tr '\\n' ' ')"
  for round in 1 2 3 4 5 6 7 8 9 10; do
    found=
    for link in $(stat -Lc '%i:%n' /proc/[0-9]*/ns/net 2>&-); do
      case "$inside" in *" \${link%%:*} "*)
        pid=\${link#*:/proc/}
        kill -KILL "\${pid%%/*}" 2>&- && found=yes
      esac
    done
    [ "$found" ] || break
    sleep 0.02
  done
  for name in ${NAMED}/"$id"-*; do
    [ -e "$name" ] && echo "netns delete \${name##*/}"
  done | ip -force -batch -
  rm -rf "$directory"`

function removePremises(id: string): void {
  spawnSync('sh', ['-c', REMOVE, 'sh', id, join(tmpdir(), id)], { stdio: 'ignore' })
}
