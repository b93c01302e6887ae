import { backend, Carrick } from '../test/e2e/carrick.ts'
import { median, type Report } from './report.ts'

const rounds = 5

/**
 * Question: how long does a deploy of an unchanged app take beyond the client's own work? The client's own work is at least
 * its start and one call, which `fal apps list` measures; the rest is counted against us, a new healthy runner included.
 * With CARRICK_TEST_BACKEND=docker runners are containers.
 */
export async function redeploy(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('clock.py::Clock', 'clock')
  const deploys: number[] = []
  const starts: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    deploys.push(await seconds(() => carrick.deploy('clock.py::Clock', 'clock')))
    starts.push(await seconds(() => carrick.fal('apps', 'list')))
  }
  const where = backend === 'process' ? '' : ` (${backend})`
  report.add(`second deploy of an unchanged app, whole command, median${where}`, median(deploys), undefined, ' s')
  report.add(
    `second deploy beyond the client’s own work${where}`,
    median(deploys) - median(starts),
    { atMost: 3 },
    ' s',
  )
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}
