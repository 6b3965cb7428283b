import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const SRC = join(import.meta.dirname, '../../src')

/** What only `node-*.ts` of runtime and agent may use: everything by which two runs of one seed could differ. */
const PLATFORM = new Set([
  'Buffer',
  'Date',
  'WebSocket',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
])

function parse(source: string): ts.SourceFile {
  return ts.createSourceFile('source.ts', source, ts.ScriptTarget.ES2022, true)
}

function visit(node: ts.Node, look: (node: ts.Node) => boolean): void {
  if (look(node)) node.forEachChild((child) => visit(child, look))
}

/** Uses of the platform, as the source writes them. */
function platformUses(source: string): string[] {
  const file = parse(source)
  const declared = new Set<string>()
  visit(file, (node) => {
    if ((ts.isVariableDeclaration(node) || ts.isParameter(node)) && ts.isIdentifier(node.name)) {
      declared.add(node.name.text)
    }
    return true
  })
  const found: string[] = []
  visit(file, (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return false
    if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') found.push('Math.random')
    if (ts.isIdentifier(node) && PLATFORM.has(node.text) && !declared.has(node.text) && !isNameOnly(node)) {
      found.push(node.text)
    }
    return true
  })
  return found
}

/** Whether an identifier names a property or a member rather than reading a variable. */
function isNameOnly(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  return (ts.isPropertyAssignment(parent) || ts.isClassElement(parent)) && parent.name === node
}

function awaitsAtTopLevel(source: string): boolean {
  let found = false
  visit(parse(source), (node) => {
    if (ts.isFunctionLike(node)) return false
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) found = true
    return true
  })
  return found
}

/** Top-level statements that do something instead of declaring something. */
function statementsRunByImport(source: string): string[] {
  return parse(source)
    .statements.filter(
      (statement) =>
        !ts.isImportDeclaration(statement) &&
        !ts.isExportDeclaration(statement) &&
        !ts.isVariableStatement(statement) &&
        !ts.isFunctionDeclaration(statement) &&
        !ts.isClassDeclaration(statement) &&
        !ts.isInterfaceDeclaration(statement) &&
        !ts.isTypeAliasDeclaration(statement),
    )
    .map((statement) => statement.getText())
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('bin/'))
  .map((path) => ({ path, source: readFileSync(join(SRC, path), 'utf8') }))
const core = files.filter(({ path }) => !/^(runtime|agent)\/node-[^/]+$/.test(path))

describe('the source', () => {
  it('takes time, randomness and the outside from Runtime only, but for node-*.ts of runtime and agent', () => {
    expect(core.length).toBeGreaterThan(20)
    expect(core.length).toBeLessThan(files.length)
    for (const { path, source } of core) expect([path, ...platformUses(source)]).toEqual([path])
  })

  it('never awaits at top level, so that require() of it works', () => {
    for (const { path, source } of files) expect([path, awaitsAtTopLevel(source)]).toEqual([path, false])
  })

  it('does nothing when it is imported, as package.json promises to bundlers', () => {
    for (const { path, source } of files) expect([path, ...statementsRunByImport(source)]).toEqual([path])
  })
})

describe('the check of the source', () => {
  it.each([
    ['const now = Date.now()', ['Date']],
    ['new Date()', ['Date']],
    ['const pick = () => Math.random()', ['Math.random']],
    ['class A { start() { setTimeout(() => {}, 1) } }', ['setTimeout']],
    ['const clock = globalThis["Date"]', ['globalThis']],
    ['export const f = (now = performance.now()) => now', ['performance']],
    ['const timers = { setTimeout }', ['setTimeout']],
    ['if (process.env.DEBUG) console.log(1)', ['process', 'console']],
  ])('finds the platform in %s', (source, found) => {
    expect(platformUses(source)).toEqual(found)
  })

  it.each([
    'const a = runtime.setTimeout(1)',
    'class A { process(): void {} }',
    'const options = { crypto: 1 }',
    'let at: Date',
    'function f(process: Process) { return process.id }',
    'const text = "Date"',
    'const half = Math.floor(1 / 2)',
  ])('finds no platform in %s', (source) => {
    expect(platformUses(source)).toEqual([])
  })

  it.each([
    ['await ready', true],
    ['const a = await ready', true],
    ['for await (const x of y) z(x)', true],
    ['const f = async () => { await ready }', false],
    ['class A { async f() { for await (const x of y) z(x) } }', false],
  ])('finds awaiting at top level: %s: %s', (source, found) => {
    expect(awaitsAtTopLevel(source)).toBe(found)
  })

  it.each([
    ['register(handler)', ['register(handler)']],
    ['for (const x of y) z(x)', ['for (const x of y) z(x)']],
    ['export const A = f()\nfunction f() {}\nexport { f }', []],
    ['import "./a.ts"; export class A { static b = 1 }', []],
  ])('finds what an import runs: %s', (source, found) => {
    expect(statementsRunByImport(source)).toEqual(found)
  })
})
