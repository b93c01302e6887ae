import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { accepts } from '../packages/server/src/scheduler/probe.ts'
import { freePort } from '../packages/server/src/testing/free-port.ts'
import { Carrick, until } from '../test/e2e/carrick.ts'
import { median, type Report } from './report.ts'

const rounds = 7

/**
 * Question: what does the platform add to a cold start? Expected: next to nothing, the time belongs to Python.
 * Submit → the app's first line, against spawning the very same command by hand until its port accepts. By turns, so that
 * both meet the same machine. PYTHONDONTWRITEBYTECODE is unset in both: runners never inherit it.
 */
export async function coldStart(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('clock.py::Clock', 'clock', '--strategy', 'recreate')
  const byHand: number[] = []
  const byPlatform: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    await until(async () => (await carrick.status()).runners === 0, 'no runners')
    const platform = await submitToFirstLine(carrick)
    const hand = await spawnToPort(await commandOfRunner(carrick))
    // The first round fills the page cache.
    if (round === 0) continue
    byPlatform.push(platform)
    byHand.push(hand)
  }
  report.add('cold start: spawned by hand until its port answers, median', median(byHand), undefined, ' ms')
  report.add('cold start: submit to first byte in the app, median', median(byPlatform), undefined, ' ms')
  report.add('cold start: platform ÷ by hand', median(byPlatform) / median(byHand), { atMost: 1.1 })
}

/** Milliseconds from the submit to the moment that the app's handler tells. Both are this machine's clock. */
async function submitToFirstLine(carrick: Carrick): Promise<number> {
  const headers = { authorization: `Key ${carrick.variables['FAL_KEY']}`, 'content-type': 'application/json' }
  const base = carrick.url.replace('https:', 'http:')
  const started = Date.now()
  const submitted = await fetch(`${base}/queue/tester/clock`, { method: 'POST', headers, body: '{}' })
  const { request_id: id } = (await submitted.json()) as { request_id: string }
  const result = `${base}/queue/tester/clock/requests/${id}`
  await until(async () => (await fetch(`${result}/status`, { headers })).status === 200, 'the result')
  const { now } = (await (await fetch(result, { headers })).json()) as { now: number }
  return now - started
}

interface Command {
  readonly args: readonly string[]
  readonly variables: Record<string, string>
  readonly cwd: string
}

/** The command line and environment of the runner that is alive, as the kernel tells them. */
async function commandOfRunner(carrick: Carrick): Promise<Command> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (!environ.includes('CARRICK_RUNNER_ID=') || !environ.includes(carrick.folder)) continue
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1)
    const pairs = environ.split('\0').filter((pair) => pair.includes('='))
    const variables = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    )
    return { args, variables, cwd: '/tmp' }
  }
  throw new Error('no runner is alive')
}

async function spawnToPort({ args, variables, cwd }: Command): Promise<number> {
  const [port, metrics] = [await freePort(), await freePort()]
  const env = { ...variables, PORT: String(port), METRICS_PORT: String(metrics) }
  const started = performance.now()
  const child = spawn(args[0] ?? '', args.slice(1), { env, cwd, stdio: 'ignore', detached: true })
  while (!(await accepts({ host: '127.0.0.1', port }))) await new Promise((wake) => setTimeout(wake, 2))
  const took = performance.now() - started
  process.kill(-(child.pid ?? 0), 'SIGKILL')
  return took
}
