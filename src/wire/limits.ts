/**
 * Limits of the protocol, in bytes of UTF-8 or of data. They are constants, the same for every node of every
 * cluster, because a node must be able to store and forward whatever another one was allowed to say.
 */

/** Member, network and table names. */
export const MAX_NAME_BYTES = 63
export const MAX_KEY_BYTES = 255
export const MAX_VALUE_BYTES = 1024
export const MAX_METADATA_BYTES = 512

/** UDP payload, sealing included: the default, and the least that a node may be set to. */
export const MAX_PACKET_BYTES = 1400
export const MIN_PACKET_BYTES = 1180

/**
 * A packet around its messages: version, kind, key id, nonce and authentication tag.
 * Plaintext packets cost less and are given the same room, so that switching sealing on never makes an entry too large.
 */
export const PACKET_OVERHEAD_BYTES = 38

/**
 * An encoded entry as a whole: network, owner, table, key, value and stamps. It fits the smallest packet, so what
 * one node accepts every other node can forward. Longest names, key and value together exceed it: `set` checks.
 */
export const MAX_ENTRY_BYTES: number = MIN_PACKET_BYTES - PACKET_OVERHEAD_BYTES - 3
