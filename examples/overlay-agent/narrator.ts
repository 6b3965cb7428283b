/** Prints what happens, with the time since its start. */
export class Narrator {
  readonly #startedAt = performance.now()

  chapter(title: string): void {
    console.log(`\n${title}`)
  }

  tell(text: string, details: readonly string[] = []): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1)
    console.log(`${seconds.padStart(6)} s  ${text}`)
    for (const line of details) console.log(`            ${line}`)
  }
}
