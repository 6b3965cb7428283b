import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from '../../src/index.ts'
import { endOnSignals } from '../lab/end-on-signals.ts'
import { Lab, missingForLab } from '../lab/lab.ts'
import { Narrator } from './narrator.ts'
import { labStage, loopbackStage, type Stage } from './stage.ts'
import { Story } from './story.ts'

const HOSTS = 3

/** `npm start`: the story of an overlay network, told on this machine, of which nothing is left behind. */
async function main(): Promise<void> {
  const narrator = new Narrator()
  const key = Buffer.from(generateKey()).toString('base64')
  const missing = missingForLab()
  if (missing !== undefined) {
    console.log(
      `No real network here (${missing}): the same story on loopback, commands printed but not run.`,
    )
    const directory = mkdtempSync(join(tmpdir(), 'hearsay-'))
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
    return play(loopbackStage(HOSTS, key, directory), narrator)
  }
  console.log('Three hosts out of network namespaces, one container each. Ctrl-C removes everything.')
  const lab = Lab.build(HOSTS)
  narrator.tell(
    'built:',
    lab.hosts.map(
      ({ name, vtep, container }) => `${name}  ${vtep}  container ${container.ips.join(' and ')}`,
    ),
  )
  await play(labStage(lab, key), narrator)
  lab.remove()
  narrator.tell('namespaces removed; nothing is left behind')
}

async function play(stage: Stage, narrator: Narrator): Promise<void> {
  process.on('exit', () => stage.killAgents())
  await new Story(stage, narrator).tell()
}

endOnSignals()
main().catch((error: unknown) => {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
