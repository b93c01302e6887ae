import { Carrick, until } from '../test/e2e/carrick.ts'
import { commandOfRunner, spawnToPorts } from './bare.ts'
import { untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15)

/**
 * Question: what does the platform add to a cold start? Expected: next to nothing, the time belongs to Python.
 * Submit → the app's first line, against spawning the very same command by hand until its port accepts. By turns, so that
 * both meet the same machine. PYTHONDONTWRITEBYTECODE is unset in both: runners never inherit it.
 */
export async function coldStart(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('clock.py::Clock', 'clock', '--strategy', 'recreate')
  // The first start fills the page cache. The command is spawned while no runner is there: it uses the folder of that one.
  await submitToFirstLine(carrick)
  const command = await commandOfRunner(carrick)
  const byHand: number[] = []
  const byPlatform: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await untilRunners(carrick, 0)
    byHand.push(await spawnToPorts(command, 1))
    byPlatform.push(await submitToFirstLine(carrick))
  }
  report.add('cold start: spawned by hand until its port answers, median', median(byHand), undefined, ' ms')
  report.add('cold start: submit to first byte in the app, median', median(byPlatform), undefined, ' ms')
  report.add('cold start: platform ÷ by hand', median(byPlatform) / median(byHand), { atMost: 1.05 })
}

/** Milliseconds from the submit to the moment that the app's handler tells. Both are this machine's clock, to the microsecond. */
async function submitToFirstLine(carrick: Carrick): Promise<number> {
  const started = performance.timeOrigin + performance.now()
  const submitted = await carrick.ask('/queue/tester/clock', { method: 'POST', body: '{}', headers: json })
  const { request_id: id } = (await submitted.json()) as { request_id: string }
  const result = `/queue/tester/clock/requests/${id}`
  await until(async () => (await carrick.ask(`${result}/status`)).status === 200, 'the result')
  const { now } = (await (await carrick.ask(result)).json()) as { now: number }
  return now - started
}

const json = { 'content-type': 'application/json' }
