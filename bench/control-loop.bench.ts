import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median, type Report } from './report.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('control-loop-run.ts', import.meta.url))
const rounds = 3
const seconds = 20

/** What `control-loop-run.ts` prints: shares of one core, and how much happened in a second. */
interface Measured {
  readonly thread: number
  readonly process: number
  readonly starts: number
  readonly calls: number
  readonly runners: number
}

/**
 * Question: what does it cost to look after 1,000 apps with 10,000 runners, while 500 calls a second come, five runners a
 * second crash and are replaced, and as many more come and go with the load of 30 apps without a floor? Expected: some percent of one core, for a
 * pass looks at what changed. The runners are only said to be there; store, keys, homes and scheduler are the real ones.
 * Held against the same calls in a process without scheduler. The thread of the loop makes the calls too and hands the
 * store's writes over; the process has the store's threads besides.
 */
export async function controlLoop(report: Report): Promise<void> {
  const withLoop: Measured[] = []
  const without: Measured[] = []
  for (let round = 0; round < rounds; round += 1) {
    without.push(await measured('without'))
    withLoop.push(await measured('with'))
  }
  const of = (all: readonly Measured[], name: keyof Measured) => median(all.map((each) => each[name]))
  const percent = (name: 'thread' | 'process') => 100 * (of(withLoop, name) - of(without, name))
  const goal = { atMost: 5 }
  report.add('control loop, 1,000 apps, 10,000 runners: share of one core', percent('thread'), goal, ' %')
  report.add('the same with the threads of the store', percent('process'), undefined, ' %')
  report.add('runner starts per second meanwhile', of(withLoop, 'starts'))
  report.add('calls per second meanwhile', of(withLoop, 'calls'))
  report.add('runners at the end', of(withLoop, 'runners'))
}

async function measured(how: 'with' | 'without'): Promise<Measured> {
  const { stdout } = await run(process.execPath, ['--conditions=carrick-source', script, how, String(seconds)])
  return JSON.parse(stdout) as Measured
}
