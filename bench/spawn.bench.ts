import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { Carrick, until } from '../test/e2e/carrick.ts'
import { untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15)

/**
 * Question: how soon after a request for an app that sleeps does the runner's process exist? Expected: after the one commit
 * that holds both, and a fork of the server. From before the request is sent until the moment at which the server
 * noted that the program runs, both on this machine's clock. The request is sent on a connection that is open.
 */
export async function spawned(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('clock.py::Clock', 'clock', '--strategy', 'recreate')
  using database = new DatabaseSync(join(carrick.folder, 'carrick.sqlite'), { readOnly: true })
  const launches = database.prepare('select launched_at from runner where launched_at >= ?')
  const took: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    await untilRunners(carrick, 0)
    await carrick.ask('/healthz') // the connection
    const sent = Date.now()
    const submitted = await carrick.ask('/queue/tester/clock', { method: 'POST', body: '{}' })
    await submitted.arrayBuffer()
    await until(() => launches.get(sent) !== undefined, 'a runner')
    // The first round warms the code up.
    if (round > 0) took.push(Number(launches.get(sent)?.['launched_at']) - sent)
  }
  report.add('request to a sleeping app → runner process spawned, median', median(took), { atMost: 20 }, ' ms')
  report.add('the same, worst', Math.max(...took), undefined, ' ms')
}
