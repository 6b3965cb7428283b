import type { Changes, OverlayRow } from '../../src/agent/index.ts'
import { creationBatch, MemoryKernel, overlayMtu, overlayRules, toBatches } from '../../src/agent/index.ts'
import type { DataPath, DataPathSpec } from './data-path.ts'

const ASSUMED_UNDERLAY_MTU = 1500

type Report = (commands: readonly string[], rows: readonly OverlayRow[]) => void

/** A data path that is only remembered; the commands that the real one would have run are reported. */
export function openDryRun(
  spec: DataPathSpec,
  underlay: { readonly vtep: string; readonly port: number },
  report: Report,
): DataPath {
  const { device, bridge } = spec
  return {
    device,
    bridge,
    kernel: new DryRunKernel(spec, underlay, report),
    mtu: async () => overlayMtu(ASSUMED_UNDERLAY_MTU, underlay.vtep),
  }
}

class DryRunKernel extends MemoryKernel<OverlayRow> {
  readonly #spec: DataPathSpec
  readonly #underlay: { readonly vtep: string; readonly port: number }
  readonly #report: Report
  #isCreated = false

  constructor(
    spec: DataPathSpec,
    underlay: { readonly vtep: string; readonly port: number },
    report: Report,
  ) {
    super(overlayRules)
    this.#spec = spec
    this.#underlay = underlay
    this.#report = report
  }

  override async dump(): Promise<OverlayRow[]> {
    if (!this.#isCreated) {
      this.#isCreated = true
      const { vni, device, bridge, ownsBridge } = this.#spec
      const settings = { name: device, vni, ...this.#underlay }
      this.#report(
        [
          ...(ownsBridge ? [`ip link add name ${bridge} type bridge`, `ip link set dev ${bridge} up`] : []),
          ...creationBatch(settings, ASSUMED_UNDERLAY_MTU).map((line) => `ip ${line}`),
          `ip link set dev ${device} up`,
          `ip link set dev ${device} master ${bridge}`,
          `bridge link set dev ${device} learning off`,
        ],
        [],
      )
    }
    return super.dump()
  }

  override async apply(changes: Changes<OverlayRow>): Promise<void> {
    const { bridge, ip } = toBatches(this.#spec.device, changes)
    await super.apply(changes)
    this.#report([...bridge.map((line) => `bridge ${line}`), ...ip.map((line) => `ip ${line}`)], this.rows())
  }

  override async remove(): Promise<void> {
    await super.remove()
    const { device, bridge, ownsBridge } = this.#spec
    this.#report([`ip link del dev ${device}`, ...(ownsBridge ? [`ip link del dev ${bridge}`] : [])], [])
  }
}
