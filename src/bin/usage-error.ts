/** A fault of the caller: one sentence, and exit code 2. */
export class UsageError extends Error {}
