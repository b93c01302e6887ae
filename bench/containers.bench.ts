import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { RunnerBackend } from '../packages/server/src/backends/backend.ts'
import { openEngine, unless, type Engine } from '../packages/server/src/backends/docker/engine/engine.ts'
import { openDocker, testImage } from '../packages/server/src/backends/docker/testing.ts'
import { median, type Report } from './report.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 9)
const never = new AbortController().signal
const patienceMs = 60_000

/**
 * Question: what does the backend add to the start of a container, and how soon does one that was stopped in its tracks
 * answer again? Expected: next to nothing, the time belongs to the engine and the program. From the call of `start` until a
 * request is answered, against a container of the same image, program and walls, made and started through the bare Engine
 * API; by turns, so that both meet the same machine. The thaw is the engine's own; the platform's is asked for by `thaw`.
 */
export async function containers(report: Report): Promise<void> {
  const engine = await openEngine()
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const backend = await openDocker({ folder: join(folder, 'runners'), installation: randomUUID() })
  const bare: number[] = []
  const ours: number[] = []
  const thaws: number[] = []
  try {
    const first = await startToFirstByte(backend, engine) // makes the network of its account
    for (let round = 0; round < rounds; round += 1) {
      bare.push(await createToFirstByte(engine, first.like, { folder, thaws }))
      ours.push((await startToFirstByte(backend, engine)).took)
    }
  } finally {
    await backend.close()
    await rm(folder, { recursive: true, force: true })
  }
  report.add('container: bare Engine API create + start → first byte, median', median(bare), undefined, ' ms')
  report.add('container: backend start → first byte, median', median(ours), undefined, ' ms')
  report.add('container: backend ÷ bare Engine API', median(ours) / median(bare), { atMost: 1.1 })
  report.add('container: unpause → first byte (the engine alone), median', median(thaws), { atMost: 50 }, ' ms')
}

/** Through the backend; answers what its container was like too. */
async function startToFirstByte(backend: RunnerBackend, { docker }: Engine) {
  const id = randomUUID()
  const own = { id, appId: 'app', revisionId: 'revision', accountId: 'account', variables: {}, mounts: [] }
  const accepts = new Promise<string>((resolve) =>
    backend.onChange(async () => {
      const seen = (await backend.list(never)).get(id)
      if (seen?.kind === 'accepting') resolve(`http://${seen.address.host}:${seen.address.port}/`)
    }),
  )
  const started = performance.now()
  await backend.start(
    { ...own, command: ['python3', '-m', 'http.server', '8080'], image: { reference: testImage } },
    never,
  )
  await answered(await accepts)
  const took = performance.now() - started
  const like = await docker.getContainer(`carrick-${id}`).inspect()
  await backend.kill(id, never)
  await backend.forget(id)
  return { took, like }
}

type Inspected = Awaited<ReturnType<typeof startToFirstByte>>['like']
interface Round {
  readonly folder: string
  readonly thaws: number[]
}

/** Makes another like it and asks it until it answers; then stops it in its tracks and lets it go on. */
async function createToFirstByte({ docker }: Engine, like: Inspected, { folder, thaws }: Round): Promise<number> {
  const { Config, HostConfig } = like
  const Mounts = await Promise.all(
    (HostConfig.Mounts ?? []).map(async (mount) => {
      const Source = join(folder, 'bare', basename(mount.Source)) // the runner's own went with it
      await mkdir(Source, { recursive: true })
      await chmod(Source, 0o777)
      return { ...mount, Source }
    }),
  )
  const options = { ...Config, WorkingDir: '/', Labels: {}, HostConfig: { ...HostConfig, Mounts } }
  const started = performance.now()
  const container = await docker.createContainer(options)
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
  }
}

async function answered(url: string): Promise<void> {
  for (const until = performance.now() + patienceMs; performance.now() < until;) {
    const answers = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) }).then(
      async (answer) => (await answer.arrayBuffer(), true),
      () => false,
    )
    if (answers) return
    await new Promise((wake) => setTimeout(wake, 2))
  }
  throw new Error(`nobody answered at ${url}`)
}
