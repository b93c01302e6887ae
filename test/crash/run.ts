// npm run crash -- --seed N --rounds M [--fault NAME]… [--results FILE] [--report]: the crash harness. Plays M rounds of each
// fault, or of those named, by turns of 50, and checks after each turn. --rounds 0 --report only writes the report of what was
// played before. Ends with 1 when a promise was broken.
import { parseArgs } from 'node:util'
import { batchRounds, play, type Batch } from './campaign.ts'
import { invariants } from './checker.ts'
import { faults, type Fault } from './faults.ts'
import { addResult, writeReport } from './report.ts'
import { Worlds } from './worlds.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '50' },
    fault: { type: 'string', multiple: true, default: Object.keys(faults) },
    results: { type: 'string', default: 'crash-results.jsonl' },
    report: { type: 'boolean', default: false },
  },
})
const asked = values.fault.map((name): [string, Fault] => {
  const fault = faults[name]
  if (fault === undefined) throw new Error(`no fault is called ${name}; there are ${Object.keys(faults).join(', ')}`)
  return [name, fault]
})
let broken = 0
{
  await using worlds = new Worlds()
  // Nothing of it stays behind: a server and its runners would go on.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void worlds[Symbol.asyncDispose]().finally(() => process.exit(130)))
  for (let from = 0; from < Number(values.rounds); from += batchRounds)
    for (const [name, fault] of asked) await turn(worlds, name, fault, from)
}
if (values.report) writeReport(values.results)
process.exit(broken > 0 ? 1 : 0)

/** One fault's turn. What the harness itself cannot go on after counts as broken too. */
async function turn(worlds: Worlds, name: string, fault: Fault, from: number): Promise<void> {
  const world = await worlds.for(fault)
  if (typeof world === 'string') return console.log(`${name}: skipped, ${world}`)
  const rounds = Math.min(batchRounds, Number(values.rounds) - from)
  try {
    const batch = await play(world, [[name, fault]], { seed: Number(values.seed), from, rounds })
    addResult(values.results, batch)
    tell(batch)
    broken += batch.violations.length
  } catch (error) {
    broken += 1
    console.error(`BROKEN: ${name}, seed ${values.seed}, rounds from ${from}:`, error, world.server.said)
    await worlds.drop(fault)
  }
}

function tell({ fault, from, struck, played, seconds, acknowledged, executions, violations, seed }: Batch): void {
  const size = `${acknowledged} acknowledged, ${executions} executions`
  console.log(`${fault} ${from}–${from + played - 1}: struck ${struck}, ${seconds.toFixed(0)} s, ${size}`)
  for (const { invariant, request = '', what } of violations)
    console.log(
      `  BROKEN: invariant ${invariant} (${invariants[invariant]}): ${request} ${what}; seed ${seed}, fault ${fault}, rounds from ${from}`,
    )
}
