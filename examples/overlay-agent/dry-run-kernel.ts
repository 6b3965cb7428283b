import type { Changes, OverlayRow } from '../../src/agent/index.ts'
import {
  creationBatch,
  MemoryKernel,
  overlayRules,
  toBatches,
  type VxlanOptions,
} from '../../src/agent/index.ts'

const ASSUMED_UNDERLAY_MTU = 1500

/**
 * Remembers rows instead of programming them, and reports the commands that the real kernel would have been
 * given.
 */
export class DryRunKernel extends MemoryKernel<OverlayRow> {
  readonly #device: VxlanOptions
  readonly #report: (commands: readonly string[], rows: readonly OverlayRow[]) => void
  #isCreated = false

  constructor(
    device: VxlanOptions,
    report: (commands: readonly string[], rows: readonly OverlayRow[]) => void,
  ) {
    super(overlayRules)
    this.#device = device
    this.#report = report
  }

  override async dump(): Promise<OverlayRow[]> {
    const { name, bridge } = this.#device
    if (!this.#isCreated) {
      this.#isCreated = true
      const commands = creationBatch(this.#device, ASSUMED_UNDERLAY_MTU).map((line) => `ip ${line}`)
      commands.push(`ip link set dev ${name} up`)
      if (bridge !== undefined) {
        commands.push(`ip link set dev ${name} master ${bridge}`, `bridge link set dev ${name} learning off`)
      }
      this.#report(commands, [])
    }
    return super.dump()
  }

  override async apply(changes: Changes<OverlayRow>): Promise<void> {
    const { bridge, ip } = toBatches(this.#device.name, changes)
    await super.apply(changes)
    this.#report([...bridge.map((line) => `bridge ${line}`), ...ip.map((line) => `ip ${line}`)], this.rows())
  }

  override async remove(): Promise<void> {
    await super.remove()
    this.#report([`ip link del dev ${this.#device.name}`], [])
  }
}
