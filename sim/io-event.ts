import { QueuedEvent } from './event-queue.ts'

/** Something that a kernel hands to its process: a packet, or an event of a stream. */
export abstract class IoEvent extends QueuedEvent {
  /** What it takes of the receive buffer; 0 if it is bounded elsewhere. */
  abstract readonly bufferBytes: number

  /** Calls the process's code. */
  abstract deliver(): void

  /** It came too late, or was too much. */
  abstract drop(): void
}
