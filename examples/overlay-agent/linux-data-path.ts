import {
  type Changes,
  type Kernel,
  LinuxOverlayKernel,
  type OverlayRow,
  overlayRules,
  type Run,
  VxlanDevice,
} from '../../src/agent/index.ts'
import { BridgeDevice } from './bridge-device.ts'
import type { DataPath, DataPathSpec } from './data-path.ts'

/** The VXLAN device and the bridge of a network, in the kernel. */
export function openLinuxDataPath(
  { vni, device, bridge, ownsBridge }: DataPathSpec,
  underlay: { readonly vtep: string; readonly port: number },
  run: Run,
): DataPath {
  const kernel = new LinuxOverlayKernel(new VxlanDevice({ name: device, vni, bridge, ...underlay }, run), run)
  return {
    device,
    bridge,
    kernel: ownsBridge ? new BridgedKernel(kernel, new BridgeDevice(bridge, run)) : kernel,
    async mtu() {
      const links = JSON.parse(await run('ip', ['-json', 'link', 'show', 'dev', device]))
      return (links as { readonly mtu: number }[])[0]?.mtu
    },
  }
}

/** A kernel whose VXLAN device needs a bridge of its own. */
class BridgedKernel implements Kernel<OverlayRow> {
  readonly slotOf = overlayRules.slotOf
  readonly same = overlayRules.same
  readonly #kernel: Kernel<OverlayRow>
  readonly #bridge: BridgeDevice

  constructor(kernel: Kernel<OverlayRow>, bridge: BridgeDevice) {
    this.#kernel = kernel
    this.#bridge = bridge
  }

  async dump(): Promise<OverlayRow[]> {
    await this.#bridge.ensure()
    return this.#kernel.dump()
  }

  apply(changes: Changes<OverlayRow>): Promise<void> {
    return this.#kernel.apply(changes)
  }

  async remove(): Promise<void> {
    await this.#kernel.remove()
    await this.#bridge.remove()
  }

  watch(onDrift: () => void): () => void {
    return this.#kernel.watch?.(onDrift) ?? (() => {})
  }
}
