import { Carrick } from '../test/e2e/carrick.ts'
import { commandOfRunner, spawnToPorts } from './bare.ts'
import { processorMs, untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'
import { room, tellOfFailures, wake, type Woken } from './wake.ts'

const runners = Number(process.env['BENCH_RUNNERS'] ?? 50)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/**
 * Question: how long does an app take from no runner to 50? Expected: what this machine takes to start as many of them, for
 * the platform should be nearly idle meanwhile. From the submits until the last runner has its request, which it keeps
 * so long that each runner gets one, against as many spawns of the same command at once until all ports answer. By turns.
 */
export async function scaleOut(report: Report): Promise<void> {
  await using carrick = await Carrick.start(room)
  await carrick.deploy('tiny.py::Tiny', 'tiny', '--strategy', 'recreate')
  await scale(carrick, '--max-concurrency', String(runners), '--keep-alive', '1')
  await wake(carrick, ['tiny'], 5)
  const command = await commandOfRunner(carrick)
  const [byHand, byPlatform, own]: [number[], number[], number[]] = [[], [], []]
  const failures: Woken['failures'][] = []
  for (let round = 0; round < rounds; round += 1) {
    await untilRunners(carrick, 0)
    const bare = await spawnToPorts(command, runners)
    const idle = await processorMs(carrick)
    const woken = await wake(
      carrick,
      Array.from({ length: runners }, () => 'tiny'),
      (2 * bare) / 1_000,
    )
    own.push((await processorMs(carrick)) - idle)
    byHand.push(bare)
    byPlatform.push(woken.tookMs)
    failures.push(woken.failures)
  }
  report.add(`${runners} bare spawns at once until all ports answer, median`, median(byHand), undefined, ' ms')
  report.add(`0 → ${runners} runners, each with a request, median`, median(byPlatform), undefined, ' ms')
  report.add(`0 → ${runners} runners ÷ the bare spawns`, median(byPlatform) / median(byHand), { atMost: 1.2 })
  report.add('the same, processor time of the server per runner', median(own) / runners, undefined, ' ms')
  tellOfFailures(report, failures)
}

async function scale(carrick: Carrick, ...flags: string[]): Promise<void> {
  const { code, stderr } = await carrick.fal('apps', 'scale', 'tiny', ...flags)
  if (code !== 0) throw new Error(stderr)
}
