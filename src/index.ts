export { Cluster } from './cluster.ts'
export { type ErrorCode, HearsayError } from './errors.ts'
export type {
  ClusterEvents,
  HearsayWarning,
  Listener,
  MemberSnapshot,
  MemberStatus,
  WarningCode,
} from './events.ts'
export type { Seeds } from './membership/joining.ts'
export type { Metrics } from './metrics.ts'
export type { Codec } from './network-state/codec.ts'
export type { Network } from './network-state/network.ts'
export type { Table } from './network-state/table.ts'
export type { Change, Owned } from './network-state/watch.ts'
export type { ClusterOptions, Profile, Tuning } from './options.ts'
export { generateKey } from './runtime/node-key.ts'
export { NodeRuntime } from './runtime/node-runtime.ts'
export type {
  ByteStream,
  Runtime,
  SecretFile,
  SecretFiles,
  StreamHandlers,
  Timer,
  Transport,
  TransportHandlers,
} from './runtime/runtime.ts'
export type { RotateOptions } from './security/key-rotation.ts'
export type { EpochId } from './wire/epoch.ts'
