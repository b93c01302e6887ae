import { setTimeout as pause } from 'node:timers/promises'
import { Carrick } from '../test/e2e/carrick.ts'
import { percentile, type Phase } from './phases.ts'
import { untilRunners } from './quiet.ts'
import type { Report } from './report.ts'
import { start } from './server.ts'

const perSecond = Number(process.env['BENCH_PER_SECOND'] ?? 200)
const phaseMs = 10_000

/**
 * Question: what do the callers of one app notice of another that does all that an app may do wrong? Expected: nothing
 * fails, and p99 stays within twice of what it is before: what a bad app writes is read at a pace, what it holds
 * is its own, and what it started ends with it. A runner that takes its place wants a core for half a second.
 */
export async function badApps(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('steady.py::Steady', 'steady')
  await carrick.deploy('bad.py::Bad', 'bad')
  await carrick.deploy('bad.py::Mute', 'mute', '--strategy', 'recreate')
  await untilRunners(carrick, 3)
  const port = new URL(carrick.url).port
  const key = `Key ${carrick.variables['FAL_KEY']}`
  await using load = start('steady-load.ts', port, String(perSecond), 'tester/steady', key)
  await pause(phaseMs)
  const post = (path: string) =>
    carrick.ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"text":"bench"}' })
  const ended = (call: Promise<Response>) => call.then((answer) => answer.arrayBuffer()).catch(() => undefined)

  const wrongs: Record<string, () => Promise<unknown>> = {
    before: () => pause(phaseMs),
    'never opens its port': () => Promise.all([post('/queue/tester/mute'), pause(phaseMs)]),
    'answers nothing': () => Promise.all([ended(post('/tester/bad/hang')), pause(phaseMs)]),
    'answers half': () => again(() => ended(post('/tester/bad/half'))),
    dies: () => again(() => ended(post('/tester/bad/die'))),
    'ignores SIGTERM': () => again(() => ended(post('/tester/bad/stubborn'))),
    'leaves children': () => again(() => ended(post('/tester/bad/fork'))),
    'floods its log': () => Promise.all([ended(post('/tester/bad/flood')), pause(phaseMs)]),
  }
  for (const [phase, act] of Object.entries(wrongs)) {
    await load.ask(`phase ${phase}`)
    await act()
    await load.ask('phase between')
    await pause(1_000)
  }
  const phases = await load.ask<Record<string, Phase>>('end')
  const failures = Object.entries(phases).flatMap(([phase, of]) => of.failures.map((failure) => `${phase}: ${failure}`))
  for (const failure of failures.slice(0, 5)) console.error(failure)
  report.add(`beside a bad app, ${perSecond} calls/s: calls that failed`, failures.length, { atMost: 0 })
  const usual = percentile(phases['before']?.directMs ?? [], 0.99)
  report.add('direct call, before: p99', usual, undefined, ' ms')
  for (const phase of Object.keys(wrongs).slice(1)) {
    const times = phases[phase]?.directMs ?? []
    report.add(`direct call beside an app that ${phase}: p99 ÷ before`, percentile(times, 0.99) / usual, { atMost: 2 })
  }
}

/** Once every other second: what it breaks has to be there again each time. */
async function again(act: () => Promise<unknown>): Promise<void> {
  for (const end = performance.now() + phaseMs; performance.now() < end;) await Promise.all([act(), pause(2_000)])
}
