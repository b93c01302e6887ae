import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { DeploymentStrategy, IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { Carrick } from '../test/e2e/carrick.ts'
import { commandOfRunner, spawnToPorts } from './bare.ts'
import { untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 9)

/**
 * Question: how long after somebody goes back to an earlier revision does it answer its first request, beyond what
 * spawning the same command by hand takes? Expected: next to nothing, for its environment is there and nothing is built.
 * From the call that the client makes, so without the client's own start. Once with each strategy, by turns with the
 * spawn by hand, so that all meet the same machine. The revision that is left has an idle runner.
 */
export async function rollback(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  const revisions = [await deploy(carrick), await deploy(carrick)]
  await carrick.fal('apps', 'scale', 'clock', '--keep-alive', '600') // nothing goes but what is gone back from
  const times = { recreate: [] as number[], rolling: [] as number[], byHand: [] as number[] }
  for (let round = 0; round <= 2 * rounds; round += 1) {
    const how = round % 2 === 0 ? 'recreate' : 'rolling'
    const took = await backTo(carrick, revisions[round % 2] ?? '', how)
    if (round === 0) continue // it fills the page cache
    times[how].push(took)
    await untilRunners(carrick, 1) // the one of before has gone
    times.byHand.push(await spawnToPorts(await commandOfRunner(carrick), 1))
  }
  const byHand = median(times.byHand)
  report.add('rollback: spawned by hand until its port answers, median', byHand, undefined, ' ms')
  for (const how of ['recreate', 'rolling'] as const) {
    const took = median(times[how])
    report.add(`rollback, ${how}: set-rev to the first answer, median`, took, undefined, ' ms')
    report.add(`rollback, ${how}: beyond the spawn by hand`, took - byHand, { atMost: 500 }, ' ms')
  }
}

const deploy = (carrick: Carrick) => carrick.deploy('clock.py::Clock', 'clock', '--strategy', 'recreate')

/** Milliseconds from the request to go back until that revision has answered a call. */
async function backTo(carrick: Carrick, revision: string, how: 'recreate' | 'rolling'): Promise<number> {
  const transport = createGrpcTransport({ baseUrl: carrick.url.replace('https:', 'http:') })
  const [id = '', secret = ''] = carrick.variables['FAL_KEY']?.split(':') ?? []
  const headers = { 'auth-key-id': id, 'auth-key': secret }
  const deploymentStrategy = how === 'rolling' ? DeploymentStrategy.ROLLING : DeploymentStrategy.RECREATE
  const started = performance.now()
  await createClient(IsolateController, transport).setAlias(
    { alias: 'clock', revision, deploymentStrategy },
    { headers },
  )
  const answer = await carrick.ask('/tester/clock', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  const took = performance.now() - started
  if (!answer.ok) throw new Error(`the first call was answered with ${answer.status}: ${await answer.text()}`)
  return took
}
