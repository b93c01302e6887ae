import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { availableParallelism, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../e2e/carrick.ts'
import { batchRounds, type Batch } from './campaign.ts'
import { invariants } from './checker.ts'
import { faults } from './faults.ts'

/** What is kept of a batch. The first lines of docs/reference/crash-rounds.jsonl are sums of batches whose own lines are lost. */
interface Line extends Omit<Batch, 'evidence' | 'seed' | 'from'> {
  /** How many promises were broken, where only the first of them are kept. */
  readonly broken?: number
  readonly seed: number | string
  readonly from?: number
  readonly commit: string
  readonly day: string
  /** How many processes wanted a processor at its end: it says how long a round may have taken because of others. */
  readonly load: number
}

/** Of a batch: where a server does not start again every request is one. */
const violationsKept = 5

const page = join(root, 'docs', 'reference', 'crash-report.md')

/**
 * Keeps what came of a batch, beside what came of others, also of other runs. Where a promise was broken, all that was known goes
 * into a file beside it: a violation may take hundreds of rounds to show again.
 */
export function addResult(file: string, { evidence, ...batch }: Batch): void {
  if (evidence) {
    const { fault, seed, from } = batch
    const all = { ...evidence, answers: Object.fromEntries(evidence.answers) }
    writeFileSync(`${file}.${fault}-${seed}-${from}.evidence.json`, JSON.stringify(all))
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  const day = new Date().toISOString().slice(0, 10)
  const broken = batch.violations.length
  const violations = batch.violations.slice(0, violationsKept)
  const all = broken > violations.length ? { broken } : {}
  const line: Line = { ...batch, violations, ...all, commit, day, load: loadavg()[0] ?? 0 }
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}

/** Writes docs/reference/crash-report.md from all that was kept. */
export function writeReport(file: string): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  writeFileSync(page, reportOf(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line)))
}

function reportOf(lines: readonly Line[]): string {
  const byFault = Map.groupBy(lines, ({ fault }) => fault)
  const rows = Object.entries(faults).map(([name, { what }]) => row(name, what, byFault.get(name) ?? []))
  const total = row('**all**', '', lines)
  return `# Crash report

Written by \`npm run crash -- --results docs/reference/crash-rounds.jsonl --report\` (\`test/crash/\`): what came of the rounds that were
played so far, [batch by batch](crash-rounds.jsonl). In a round clients submit, follow and cancel requests while one fault strikes;
after every ${batchRounds} rounds everything comes to rest, and what clients saw, what the app wrote down that it ran, and what the store
says at last are held against what is promised.

* Commits: ${words(lines.map(({ commit }) => commit))}
* Seeds: ${words(lines.map(({ seed }) => String(seed)))}
* Days: ${words(lines.map(({ day }) => day))}
* Machine: Linux, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}; ${loadIn(lines)}

| Fault | What strikes | Rounds that struck | Of played | Minutes | Acknowledged | Executions | Promises broken |
| --- | --- | --- | --- | --- | --- | --- | --- |
${[...rows, total].join('\n')}

## What is checked

${Object.entries(invariants)
  .map(([number, text]) => `* ${number}. ${text}`)
  .join('\n')}

The numbers are those of the list of what is always true. 8 (deploys), 9 (what tenants send) and 10 (bounds) are not asked here.

## What it found

* After a server had ended in the moment in which a runner's network began, none started on its data folder again (\`fsync_fails\`,
  seed 6001): [decision 69](../decisions/0069-strays-of-a-start-are-ended-too.md). Every request of that batch is a broken promise in the table, and none
  of its rounds counts as one that struck.

## How to play a round again

\`npm run crash -- --seed SEED --rounds ROUNDS --fault FAULT\` plays the same faults at the same counts. What happens between two of
them is up to the machine, so a violation may take more than one try to show again.
${brokenPromises(lines)}`
}

function row(name: string, what: string, lines: readonly Line[]): string {
  const sum = (of: (line: Line) => number) => lines.reduce((all, line) => all + of(line), 0)
  const cells = [
    name,
    what,
    sum(({ struck }) => struck),
    sum(({ played }) => played),
    (sum(({ seconds }) => seconds) / 60).toFixed(0),
    sum(({ acknowledged }) => acknowledged),
    sum(({ executions }) => executions),
    sum(({ violations, broken = violations.length }) => broken),
  ]
  return `| ${cells.join(' | ')} |`
}

function brokenPromises(lines: readonly Line[]): string {
  const found = lines.flatMap(({ violations, fault, seed, from, commit }) =>
    violations.map(
      ({ invariant, request = '', what }) =>
        `* ${invariant}: ${request} ${what} (${fault}, seed ${seed}, rounds from ${from ?? 0}, commit ${commit})`,
    ),
  )
  return found.length === 0
    ? ''
    : `\n## Promises broken\n\nEach with the commit at which it was seen.\n\n${found.join('\n')}\n`
}

function loadIn(lines: readonly Line[]): string {
  const loads = lines.map(({ load }) => load)
  return `${Math.min(...loads).toFixed(0)} to ${Math.max(...loads).toFixed(0)} processes wanted a processor meanwhile`
}

const words = (all: readonly string[]): string => [...new Set(all)].join(', ')
