import { exit, stdout } from 'node:process'
import { ATTACKS } from '../attacks/attacks.ts'
import { Siege } from '../attacks/siege.ts'

/** What an adversary without the key can do to a cluster on real sockets, and what comes of it. Usage: `npm run attacks`. */
const siege = await Siege.begin()
for (const attack of ATTACKS) attack.begin?.(siege)
let disturbed = 0
stdout.write('| attack | tried | dropped, by cause | disturbed |\n|---|---|---|---|\n')
for (const attack of ATTACKS) {
  const outcome = await siege.suffer(attack)
  const dropped = Object.entries(outcome.dropped).map(([cause, count]) => `${count} \`${cause}\``)
  const harm = outcome.disturbed.join('; ') || 'nothing'
  stdout.write(
    `| ${attack.name} | ${outcome.tried} | ${dropped.join(', ') || attack.elsewhere || 'taken as late or old'} | ${harm} |\n`,
  )
  disturbed += outcome.disturbed.length
}
await siege.close()
exit(disturbed > 0 ? 1 : 0)
