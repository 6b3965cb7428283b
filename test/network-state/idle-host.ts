import type { NetworkStateHost } from '../../src/network-state/network-state.ts'

/** What a network state needs of options. */
export const STATE_OPTIONS = {
  retransmitMultiplier: 4,
  syncTimeoutMs: 1_000,
  inheritMs: 0,
  withdrawAfterMs: 0,
  reconnectGraceMs: 1_000,
}

/** A node around a network state that does nothing at all, and whose syncs hear nothing. */
export function idleHost(self: string, owners: NetworkStateHost['owners']): NetworkStateHost {
  return {
    self,
    owners,
    announce: () => {},
    addSource: () => {},
    removeSource: () => {},
    sync: () => ({ heard: 0, abort: () => {} }),
    compared: () => {},
    lacking: () => {},
    offer: () => {},
    offering: () => false,
    tell: () => {},
    offered: () => {},
    forgotten: () => {},
    mayRaise: () => true,
    epochOpened: () => {},
    undecodable: () => {},
    notSynced: () => {},
    checkName: () => {},
  }
}
