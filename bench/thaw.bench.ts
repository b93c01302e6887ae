import { backend, Carrick, until } from '../test/e2e/carrick.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15)

/**
 * Question: how soon does a runner answer that was frozen? Expected: what the engine takes to let it go on, and what a call
 * takes anyway. From the request of a caller until the first byte of the app's answer, through the whole platform; beside it the
 * same call at once afterwards, when the runner is warm. With CARRICK_TEST_BACKEND=docker runners are containers.
 */
export async function thaw(report: Report): Promise<void> {
  await using carrick = await Carrick.start({ CARRICK_FREEZE_AFTER: '1' })
  await carrick.deploy('clock.py::Clock', 'clock')
  await carrick.fal('apps', 'scale', 'clock', '--min-concurrency', '1', '--max-concurrency', '1', '--keep-alive', '600')
  const frozen: number[] = []
  const warm: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await until(() => isFrozen(carrick), 'a frozen runner')
    frozen.push(await firstByte(carrick))
    warm.push(await firstByte(carrick))
  }
  const where = `(${backend} backend)`
  report.add(`request to a frozen runner → first byte ${where}, median`, median(frozen), { atMost: 50 }, ' ms')
  report.add(`request to a frozen runner → first byte ${where}, the worst`, Math.max(...frozen), undefined, ' ms')
  report.add(`the same call to a warm runner ${where}, median`, median(warm), undefined, ' ms')
}

async function isFrozen(carrick: Carrick): Promise<boolean> {
  const answer = await carrick.ask('/v1/runners')
  const { runners } = (await answer.json()) as { runners: { frozen_since: string | null }[] }
  return runners.length === 1 && runners[0]?.frozen_since !== null
}

/** Resolves to milliseconds. */
async function firstByte(carrick: Carrick): Promise<number> {
  const began = performance.now()
  const headers = { 'content-type': 'application/json' }
  const answer = await carrick.ask('/tester/clock', { method: 'POST', body: '{"seconds": 0}', headers })
  const took = performance.now() - began
  const body = await answer.text()
  if (answer.status !== 200) throw new Error(`the call was answered with ${answer.status}: ${body}`)
  return took
}
