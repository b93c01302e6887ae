import { setTimeout as pause } from 'node:timers/promises'
import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { Carrick } from '../test/e2e/carrick.ts'
import { aside } from './aside.ts'
import { controllerOf } from './controller.ts'
import { untilRunners } from './quiet.ts'
import { percentile, type Phase } from './phases.ts'
import type { Report } from './report.ts'
import { start } from './server.ts'

const perSecond = Number(process.env['BENCH_PER_SECOND'] ?? 200)
const calmMs = Number(process.env['BENCH_CALM_MS'] ?? 8_000)
/** A change of scale may be over after half a second: p99 would be whatever one call met. */
const leastMs = 5_000
/** Of few rounds p99 would be whatever a dozen calls of each kind met. */
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 20)

/**
 * Question: what do callers notice of a rolling deploy, a rollback and a change of scale? Expected: nothing fails, and p99
 * stays within twice of what it is before, although a runner that starts wants a core for half a second. So does the
 * command that deploys, which gives way to everybody (`aside.ts`); the rest is asked for without a command. Half of the calls
 * are direct ones, half go through the queue, at a steady rate by a process of its own. The app has 3 runners. What counts are
 * the calls from the beginning of a change to its end, and for five seconds at least. Rounds of all changes, by turns with calm
 * ones; a percentile is of the calls of all rounds.
 */
export async function changes(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await using _aside = await aside(carrick)
  const first = await carrick.deploy('steady.py::Steady', 'steady')
  await untilRunners(carrick, 3)
  const port = new URL(carrick.url).port
  await using load = start(
    'steady-load.ts',
    port,
    String(perSecond),
    'tester/steady',
    `Key ${carrick.variables['FAL_KEY']}`,
  )
  await pause(calmMs / 3)
  const during = async (phase: string, change: () => Promise<unknown>, runners: number) => {
    await load.ask(`phase ${phase}`)
    await Promise.all([pause(leastMs), change().then(() => untilRunners(carrick, runners))])
    await load.ask('phase between')
    await pause(2_000)
  }
  const controller = controllerOf(carrick)
  const rollBack = () =>
    controller.setAlias({ alias: 'steady', revision: first, deploymentStrategy: DeploymentStrategy.ROLLING })
  const scale = (runners: number, maxMultiplexing: number) =>
    controller.updateApplication({
      applicationName: 'steady',
      maxMultiplexing,
      minConcurrency: runners,
      maxConcurrency: runners,
    })

  for (let round = 0; round < rounds; round += 1) {
    await during('before', () => pause(calmMs), 3)
    await during('rolling deploy', () => carrick.deploy('steady.py::Steady', 'steady', '--strategy', 'rolling'), 3)
    await during('rollback', rollBack, 3)
    await during('scale up', () => scale(5, 4), 5)
    await during('scale down', () => scale(2, 16), 2)
    await during('between', () => scale(3, 8), 3)
  }
  const phases = await load.ask<Record<string, Phase>>('end')
  const before = phases['before'] ?? { directMs: [], queuedMs: [], failures: [] }
  const failures = Object.entries(phases).flatMap(([phase, of]) => of.failures.map((failure) => `${phase}: ${failure}`))
  for (const failure of failures.slice(0, 5)) console.error(failure)
  report.add(`changes under ${perSecond} calls/s: calls that failed`, failures.length, { atMost: 0 })
  for (const [kind, timesOf] of Object.entries(kinds)) {
    const usual = percentile(timesOf(before), 0.99)
    report.add(`${kind}, before: p99`, usual, undefined, ' ms')
    for (const phase of ['rolling deploy', 'rollback', 'scale up', 'scale down']) {
      const of = phases[phase]
      if (of) report.add(`${kind}, ${phase}: p99 ÷ before`, percentile(timesOf(of), 0.99) / usual, { atMost: 2 })
    }
  }
}

const kinds: Record<string, (phase: Phase) => readonly number[]> = {
  'direct call': ({ directMs }) => directMs,
  'submit to app': ({ queuedMs }) => queuedMs,
}
