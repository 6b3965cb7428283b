/** What one pass did. */
export interface Pass {
  readonly put: number
  readonly removed: number
  readonly durationMs: number
  /** Why the kernel is not as desired after this pass. Another one will follow. */
  readonly error?: Error
}

/** How things stand, and totals since the start. */
export interface ReconcilerStatus {
  /** Whether the last look at the kernel showed it as desired, and nothing has asked for another since. */
  readonly settled: boolean
  /** Number of rows wanted; undefined while that is not known. */
  readonly desired: number | undefined
  /** Number of rows believed to be there; undefined until the first look, and after an error until the next. */
  readonly actual: number | undefined
  /** How many rows were applied and did not take; they are tried again, longer and longer apart. */
  readonly stubborn: number
  /** The slots of the first 20 of them. */
  readonly wrong: readonly string[]
  readonly passes: number
  /** Passes in which the kernel was dumped. */
  readonly looks: number
  /** Rows put and removed, tries that failed included. */
  readonly put: number
  readonly removed: number
  /** Passes that ended with an error. */
  readonly failed: number
  /** How often the kernel reported that somebody may have changed something. */
  readonly drift: number
  /** Rows that a look showed to be other than they had been left: somebody else changed them. */
  readonly tampered: number
  readonly lastPassMs: number
  readonly lastLookMs: number
  /** How long ago the kernel was last seen; undefined until the first look. */
  readonly sinceLookMs: number | undefined
  /** For how long the pass under way has been running; undefined if there is none. */
  readonly runningMs: number | undefined
  /** Why the kernel is not as desired; undefined as soon as a look shows that it is. */
  readonly lastError: Error | undefined
}
