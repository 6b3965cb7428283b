/** What one host sent and received, in plain counters. Bytes are payload, without any header below it. */
export class Traffic {
  packetsSent = 0
  bytesSent = 0
  packetsReceived = 0
  bytesReceived = 0
  streamsOpened = 0
  streamsAccepted = 0
  streamBytesSent = 0
  streamBytesReceived = 0
  /** Streams of this host that the network broke in the middle. */
  streamsBroken = 0
  /** Packets of this host that the network lost, or let not through. */
  packetsLost = 0
  /** Packets of this host above the MTU. */
  packetsTooLarge = 0
  /** Packets of this host that found nobody: no such address, a dead host, a closed port. */
  packetsUndeliverable = 0
  /** Packets of this host, duplicates included, in which the network flipped bits. */
  packetsCorrupted = 0
  /** Packets dropped because a buffer of this host was full. */
  packetsOverflowed = 0

  /** Adds up; for totals and, with `sign` -1, for differences. */
  add(other: Traffic, sign: 1 | -1 = 1): this {
    this.packetsSent += sign * other.packetsSent
    this.bytesSent += sign * other.bytesSent
    this.packetsReceived += sign * other.packetsReceived
    this.bytesReceived += sign * other.bytesReceived
    this.streamsOpened += sign * other.streamsOpened
    this.streamsAccepted += sign * other.streamsAccepted
    this.streamBytesSent += sign * other.streamBytesSent
    this.streamBytesReceived += sign * other.streamBytesReceived
    this.streamsBroken += sign * other.streamsBroken
    this.packetsLost += sign * other.packetsLost
    this.packetsTooLarge += sign * other.packetsTooLarge
    this.packetsUndeliverable += sign * other.packetsUndeliverable
    this.packetsCorrupted += sign * other.packetsCorrupted
    this.packetsOverflowed += sign * other.packetsOverflowed
    return this
  }
}
