import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import ts from 'typescript'
import { expect } from 'vitest'

/** A rule, broken by one replacement in one file. `from` must be there exactly once. */
export interface Mutation {
  readonly file: string
  readonly from: string
  readonly to: string
}

const ROOT = resolve(import.meta.dirname, '../..')

/** A built copy of parts of the project, in which rules can be broken one at a time. */
export class Mutant {
  /** Where it is built; `main` is its `main.js`. */
  readonly folder: string = mkdtempSync(join(tmpdir(), 'hearsay-mutant-'))

  constructor(rooms: readonly string[], main: string) {
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'))
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(this.folder, 'main.js'), main)
    for (const room of rooms) {
      for (const file of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
        if (file.endsWith('.ts')) this.#build(`${room}/${file}`, this.#read(`${room}/${file}`))
      }
    }
  }

  async broken({ file, from, to }: Mutation, act: () => Promise<void>): Promise<void> {
    const source = this.#read(file)
    expect(source.split(from)).toHaveLength(2)
    this.#build(
      file,
      source.replace(from, () => to),
    )
    try {
      await act()
    } finally {
      this.#build(file, source)
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #read(file: string): string {
    return readFileSync(join(ROOT, file), 'utf8')
  }

  #build(file: string, source: string): void {
    const { outputText } = ts.transpileModule(source, {
      fileName: file,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    const out = join(this.folder, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(out), { recursive: true })
    writeFileSync(out, outputText)
  }
}
