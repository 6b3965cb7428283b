import { argv, exit, stdout } from 'node:process'
import { ATTACKS } from '../attacks/attacks.ts'
import { type FloodReport, flood, type ProbesOf } from '../attacks/flood.ts'
import { answerTo, answerToHello, REQUESTS } from '../attacks/requests.ts'
import { sealer } from '../attacks/sealing.ts'
import { Siege } from '../attacks/siege.ts'

/**
 * What an adversary without the key can do to a cluster on real sockets, and what comes of it. Usage: `npm run attacks`, or with the
 * seconds that the flood is to last: `npm run attacks -- 60`.
 */
const FLOOD_SECONDS = 10
const JUNK_PER_SECOND = 20_000

const say = (...cells: readonly (string | number)[]): void => void stdout.write(`| ${cells.join(' | ')} |\n`)
const ratio = (answered: number, asked: number): string => (asked === 0 ? '-' : (answered / asked).toFixed(2))

/** Returns how many attacks have disturbed anything. */
async function attacks(): Promise<number> {
  const siege = await Siege.begin()
  for (const attack of ATTACKS) attack.begin?.(siege)
  let disturbed = 0
  say(
    'attack',
    'tried',
    'dropped, by cause',
    'members, state, probes disturbed',
    'probes, helped',
    'answered',
  )
  say('---', '---', '---', '---', '---', '---')
  for (const attack of ATTACKS) {
    const outcome = await siege.suffer(attack)
    const dropped = Object.entries(outcome.dropped).map(([cause, count]) => `${count} \`${cause}\``)
    say(
      attack.name,
      outcome.tried,
      dropped.join(', ') || attack.elsewhere || 'taken as late or old',
      outcome.disturbed.join('; ') || 'none',
      `${outcome.probes.sent}, ${outcome.probes.helped}`,
      ratio(outcome.heard, outcome.said),
    )
    disturbed += outcome.disturbed.length
  }
  await siege.close()
  return disturbed
}

/** Returns how many requests are answered by more than they are. */
async function amplification(): Promise<number> {
  const siege = await Siege.begin()
  const seal = await sealer(siege.key, siege.label)
  let amplified = 0
  const row = (
    name: string,
    answers: readonly { askedBytes: number; packets: number; bytes: number }[],
  ): void => {
    const worst = Math.max(...answers.map(({ askedBytes, bytes }) => bytes / askedBytes))
    const packets = Math.max(...answers.map((answer) => answer.packets))
    say(name, answers.length, packets, worst.toFixed(2))
    if (worst > 1 || packets > 1) amplified++
  }
  say(
    'request from an address at which nobody is known',
    'forms',
    'most packets back',
    'most bytes back for a byte',
  )
  say('---', '---', '---', '---')
  for (const { name, bodies } of REQUESTS) {
    const answers = []
    for (const body of bodies(siege)) answers.push(await answerTo(siege, seal, body))
    row(name, answers)
  }
  row('hello of a stream', [await answerToHello(siege, (await siege.recordedStream())[0]!)])
  await siege.close()
  return amplified
}

function floodTable(report: FloodReport): number {
  const { sent, sentPerSecond, forMs, received, dropped, cpu, probes, helped, failed, told } = report
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`
  const times = (list: readonly number[]): string => {
    const at = (share: number): string => list[Math.ceil(share * list.length) - 1]?.toFixed(2) ?? '-'
    return `${at(0.5)}, ${at(0.99)} ms of ${list.length}`
  }
  const both = (name: keyof ProbesOf): string[] => [times(probes.before[name]), times(probes.during[name])]
  const causes = Object.entries(dropped).map(([cause, count]) => `${count} \`${cause}\``)
  say('a flood at one of three members', 'before', 'during')
  say('---', '---', '---')
  say('junk a second, for how long', '-', `${Math.round(sentPerSecond)}, ${(forMs / 1_000).toFixed(1)} s`)
  say('packets sent, received', '-', `${sent}, ${received}`)
  say('dropped, by cause', '-', causes.join(', '))
  say("the victim's processor, of one core", percent(cpu.before), percent(cpu.during))
  say('probes between the others: p50, p99', ...both('others'))
  say('probes of the victim: p50, p99', ...both('victim'))
  say('probes that took help, that failed', '-', `${helped}, ${failed}`)
  say('events of members', '-', told.join('; ') || 'none')
  return failed + told.length
}

const seconds = Number(argv[2] ?? FLOOD_SECONDS)
const disturbed = await attacks()
stdout.write('\n')
const amplified = await amplification()
stdout.write('\n')
const flooded = floodTable(await flood(JUNK_PER_SECOND, seconds * 1_000))
exit(disturbed + amplified + flooded > 0 ? 1 : 0)
