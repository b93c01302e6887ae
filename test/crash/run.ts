// npm run crash -- --seed N --rounds M [--fault NAME]… [--results FILE] [--report]: the crash harness. Plays M rounds of each
// fault, or of those named, and checks after every 50. Ends with 1 when a promise was broken.
import { parseArgs } from 'node:util'
import { faults } from './faults.ts'
import { invariants } from './checker.ts'
import { batchRounds, play, type Batch } from './campaign.ts'
import { addResult, writeReport } from './report.ts'
import { makeWorld } from './worlds.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '50' },
    fault: { type: 'string', multiple: true, default: Object.keys(faults) },
    results: { type: 'string', default: 'crash-results.jsonl' },
    report: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
let broken = 0

for (const name of values.fault) {
  const fault = faults[name]
  if (fault === undefined) throw new Error(`no fault is called ${name}; there are ${Object.keys(faults).join(', ')}`)
  if (rounds === 0) continue
  const made = await makeWorld(fault)
  if (typeof made === 'string') {
    console.log(`${name}: skipped, ${made}`)
    continue
  }
  await using world = made
  for (let from = 0; from < rounds; from += batchRounds) {
    const batch = await play(world.world, [[name, fault]], {
      seed: Number(values.seed),
      from,
      rounds: Math.min(batchRounds, rounds - from),
    })
    addResult(values.results, batch)
    tell(batch)
    broken += batch.violations.length
  }
}
if (values.report) writeReport(values.results)
process.exit(broken > 0 ? 1 : 0)

function tell({ fault, from, struck, played, seconds, acknowledged, executions, violations, seed }: Batch): void {
  const size = `${acknowledged} acknowledged, ${executions} executions`
  console.log(`${fault} ${from}–${from + played - 1}: struck ${struck}, ${seconds.toFixed(0)} s, ${size}`)
  for (const { invariant, request, what } of violations)
    console.log(
      `  BROKEN: invariant ${invariant} (${invariants[invariant]}): ${request ?? ''} ${what}; seed ${seed}, fault ${fault}, rounds from ${from}`,
    )
}
