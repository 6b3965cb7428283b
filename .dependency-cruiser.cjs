/**
 * The rooms of the house. Imports point downwards only, type-only imports too:
 *
 *     index.ts, agent/ (never each other)
 *     cluster.ts and its neighbours
 *     membership, network-state (never each other)
 *     dissemination
 *     topology, security (never each other)
 *     wire
 *     runtime/runtime.ts, runtime/address.ts
 *     errors.ts
 *
 * The files right in `src/` are the floor of `cluster.ts`, but for `index.ts` and `errors.ts`. Only
 * `runtime/node-*.ts` and `agent/node-*.ts` touch the platform, and only the uppermost two floors may choose it.
 */

const NODE_FILES = '^src/(runtime|agent)/node-[^/]+\\.ts$'
const CONTRACT = ['^src/runtime/(runtime|address)\\.ts$', '^src/errors\\.ts$']

/** Each room with everything that it may import from `src/`, itself apart. */
const ROOMS = {
  membership: ['^src/dissemination/', '^src/topology/', '^src/security/', '^src/wire/', ...CONTRACT],
  'network-state': ['^src/dissemination/', '^src/topology/', '^src/security/', '^src/wire/', ...CONTRACT],
  dissemination: ['^src/topology/', '^src/security/', '^src/wire/', ...CONTRACT],
  topology: ['^src/wire/', ...CONTRACT],
  security: ['^src/wire/', ...CONTRACT],
  wire: CONTRACT,
  agent: CONTRACT,
}

const roomRules = Object.entries(ROOMS).map(([room, below]) => ({
  name: `${room}-imports-downwards`,
  comment: `src/${room}/ may import from ${below.join(', ')} and itself only.`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^(src|sim|examples|test)/', pathNot: [`^src/${room}/`, ...below] },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'no-circles',
      comment: 'Files that need each other are one file, or three.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'no-loading-in-circles',
      comment: 'Outside src/, an object and its parts may know the types of each other.',
      severity: 'error',
      from: { pathNot: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'nothing-above-index',
      comment: 'index.ts is what outsiders see; inside, import from where a thing is.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/bin/' },
      to: { path: '^src/(index\\.ts$|bin/)' },
    },
    {
      name: 'errors-imports-nothing',
      comment: 'errors.ts lies below everything.',
      severity: 'error',
      from: { path: '^src/errors\\.ts$' },
      to: { path: '^(src|sim|examples|test)/' },
    },
    {
      name: 'runtime-imports-downwards',
      comment: 'The runtime knows nothing of the protocol.',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { path: '^(src|sim|examples|test)/', pathNot: ['^src/runtime/', '^src/errors\\.ts$'] },
    },
    {
      name: 'platform-comes-from-above',
      comment: 'Only cluster.ts and index.ts choose NodeRuntime; everybody else is given a Runtime.',
      severity: 'error',
      from: {
        path: '^(src|sim|examples)/',
        pathNot: ['^src/(cluster|index)\\.ts$', '^src/(agent|bin)/', NODE_FILES],
      },
      to: { path: NODE_FILES },
    },
    {
      name: 'core-is-pure',
      comment:
        'The platform comes through Runtime: node: modules belong into node-*.ts of runtime/ and agent/.',
      severity: 'error',
      from: { path: '^src/', pathNot: [NODE_FILES, '^src/bin/'] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'few-packages',
      comment: 'Runtime dependencies are libsodium-wrappers, in security, and eventemitter3.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules', pathNot: ['node_modules/(libsodium-wrappers|eventemitter3)/'] },
    },
    {
      name: 'sodium-in-security-only',
      comment: 'Cryptography stays in one room.',
      severity: 'error',
      from: { path: '^(src|sim|examples)/', pathNot: '^src/security/' },
      to: { path: 'node_modules/libsodium' },
    },
    {
      name: 'src-stands-alone',
      comment: 'What is shipped needs nothing of the simulator, the examples and the tests.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(sim|examples|test)/' },
    },
    {
      name: 'sim-stands-on-src',
      comment: 'The simulator is shipped, too.',
      severity: 'error',
      from: { path: '^sim/' },
      to: { path: '^(examples|test)/' },
    },
    {
      name: 'examples-are-users',
      comment: 'Examples use what users can use: the index.ts of src/, src/agent/ and sim/.',
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: '^(src|sim|test)/', pathNot: '^(src|src/agent|sim)/index\\.ts$' },
    },
    {
      name: 'everything-resolves',
      comment: 'An import that cannot be found escapes the other rules.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
    },
  },
}
