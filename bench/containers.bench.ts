import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { openEngine, unless, type Engine } from '../packages/server/src/backends/docker/engine.ts'
import { Carrick, until } from '../test/e2e/carrick.ts'
import { untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 7)

/**
 * Question: what does the platform add to the cold start of a container, and how soon does one that was stopped in its
 * tracks answer again? Expected: next to nothing, the time belongs to the engine and to Python. Submit → the app's first
 * line, against a container of the same image, program and walls, made and started through the bare Engine API until it
 * answers a request; by turns, so that both meet the same machine.
 */
export async function containers(report: Report): Promise<void> {
  const engine = await openEngine()
  await using carrick = await Carrick.start() // see CARRICK_TEST_BACKEND
  await carrick.deploy('clock.py::Clock', 'clock', '--strategy', 'recreate')
  await submitToFirstLine(carrick)
  const like = await containerOfRunner(engine, carrick)
  const bare: number[] = []
  const byPlatform: number[] = []
  const thaws: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await untilRunners(carrick, 0)
    bare.push(await createToFirstByte(engine, like, thaws))
    byPlatform.push(await submitToFirstLine(carrick))
  }
  report.add('container: bare Engine API create + start → first byte, median', median(bare), undefined, ' ms')
  report.add('container: submit → first byte in the app, median', median(byPlatform), undefined, ' ms')
  report.add('container: platform ÷ bare Engine API', median(byPlatform) / median(bare), { atMost: 1.1 })
  report.add('container: unpause → first byte (the engine alone), median', median(thaws), { atMost: 50 }, ' ms')
}

/** Milliseconds from the submit to the moment that the app's handler tells. Both are this machine's clock. */
async function submitToFirstLine(carrick: Carrick): Promise<number> {
  const started = Date.now()
  const submitted = await carrick.ask('/queue/tester/clock', { method: 'POST', body: '{}', headers: json })
  const { request_id: id } = (await submitted.json()) as { request_id: string }
  const result = `/queue/tester/clock/requests/${id}`
  await until(async () => (await carrick.ask(`${result}/status`)).status === 200, 'the result')
  const { now } = (await (await carrick.ask(result)).json()) as { now: number }
  return now - started
}

/** The one runner of this server: others may use the engine too. */
async function containerOfRunner({ docker }: Engine, { folder }: Carrick): Promise<Inspected> {
  for (const { Id } of await docker.listContainers({ filters: { label: ['carrick.runner'] } })) {
    const seen = await docker.getContainer(Id).inspect()
    if (seen.Mounts.some(({ Source }) => Source.startsWith(`${folder}/`))) return seen
  }
  throw new Error('no runner is alive')
}

/** Makes another like it and asks it until it answers; then stops it in its tracks and lets it go on. */
async function createToFirstByte({ docker }: Engine, like: Inspected, thaws: number[]): Promise<number> {
  const { Config, HostConfig } = like
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const Mounts = await Promise.all(
    (HostConfig.Mounts ?? []).map(async (mount) => {
      if (!mount.Source.includes('/runners/')) return mount
      const Source = join(folder, basename(mount.Source)) // the runner's own went with it
      await mkdir(Source, { recursive: true })
      await chmod(Source, 0o777)
      return { ...mount, Source }
    }),
  )
  const started = performance.now()
  const container = await docker.createContainer({ ...Config, Labels: {}, HostConfig: { ...HostConfig, Mounts } })
  try {
    await container.start()
    const { NetworkSettings } = await container.inspect()
    const [published] = Object.values(NetworkSettings.Ports).flatMap((each) => each ?? [])
    const url = `http://127.0.0.1:${published?.HostPort}/`
    await answered(url)
    const took = performance.now() - started
    await container.pause()
    const thawed = performance.now()
    await container.unpause()
    await answered(url)
    thaws.push(performance.now() - thawed)
    return took
  } finally {
    await unless([404], container.remove({ force: true, v: true }))
    await rm(folder, { recursive: true, force: true })
  }
}

async function answered(url: string): Promise<void> {
  while (
    !(await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      () => true,
      () => false,
    ))
  )
    await new Promise((wake) => setTimeout(wake, 2))
}

type Inspected = Awaited<ReturnType<ReturnType<Engine['docker']['getContainer']>['inspect']>>

const json = { 'content-type': 'application/json' }
