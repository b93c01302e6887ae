import { randomUUID } from 'node:crypto'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEngine } from '../packages/server/src/backends/docker/engine/engine.ts'
import { openDocker, testImage } from '../packages/server/src/backends/docker/testing.ts'
import { beside } from './beside.ts'
import { startNginx } from './nginx.ts'
import { median, type Report } from './report.ts'
import { ran, start, startServer, type Inside, type Server } from './server.ts'
import { perSecond } from './wrk.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const lifecycles = 8_000
const insidePort = 8080
const never = new AbortController().signal

/**
 * Question: do calls per second hold when the runner is a container? Expected: yes, where the server may enter the
 * container's network: its connections are as near there as in its own. By the published port it is less than half: a process of
 * the engine copies each byte twice. One program is the runner twice, as a process of this machine, where the process backend's
 * are reached too, and in a container; each way is a server of its own, by turns. Both have a control group of their own, as
 * runners of both backends do: without one the process alone would have as much of a busy machine as it likes, and one caller
 * waits for a runner that waits for the processor. Small calls are held beside nginx too, which hands on to the same container.
 */
export async function containerCalls(report: Report): Promise<void> {
  await using program = start('http-runner.ts')
  const { port } = await program.hear<{ port: number }>()
  await using container = await startInContainer()
  using _alike = beside(container.pid, program.pid)
  await using nginx = await startNginx([], `${container.host}:${insidePort}`)
  if (nginx === undefined) throw new Error('nginx is not here (apt-get install nginx)')
  const servers = {
    process: await startServer('durable', port),
    container: await startServer('durable', container.port, container),
    published: await startServer('durable', container.port),
  }
  try {
    for (const callers of [1, 32, 256]) {
      const handsOn = () => perSecond(`http://127.0.0.1:${nginx.proxy}/small`, callers)
      const ways = { ...by(servers, (server) => calls(server, callers)), nginx: handsOn }
      await compare(report, `small direct calls, ${callers} callers`, ways)
    }
    await compare(report, 'lifecycles, 64 callers', by(servers, lives))
  } finally {
    for (const server of Object.values(servers)) await server[Symbol.asyncDispose]()
  }
}

const names = ['process', 'container', 'published', 'nginx'] as const
type Ways<T> = Readonly<Record<'process' | 'container' | 'published', T> & { nginx?: T }>
type Measure = () => Promise<number>

const by = (servers: Ways<Server>, measure: (server: Server) => Promise<number>): Ways<Measure> => ({
  process: () => measure(servers.process),
  container: () => measure(servers.container),
  published: () => measure(servers.published),
})

async function compare(report: Report, what: string, ways: Ways<Measure>): Promise<void> {
  const found: Record<(typeof names)[number], number[]> = { process: [], container: [], published: [], nginx: [] }
  for (const name of names) await ways[name]?.() // warms the code up
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) if (ways[name] !== undefined) found[name].push(await ways[name]())
  }
  const [process, container, published] = [median(found.process), median(found.container), median(found.published)]
  report.add(`${what}: container ÷ process (${Math.round(container)}/s)`, container / process, { atLeast: 0.95 })
  report.add(`${what}: by the published port ÷ process (${Math.round(published)}/s)`, published / process)
  if (ways.nginx === undefined) return
  report.add(`${what}: container ÷ nginx before the same container`, container / median(found.nginx), { atLeast: 0.38 })
}

async function startInContainer(): Promise<AsyncDisposable & Inside & { readonly port: number }> {
  const folder = await mkdtempDisposable(join(tmpdir(), 'carrick-bench-'))
  const backend = await openDocker({ folder: join(folder.path, 'runners'), installation: randomUUID() })
  const id = randomUUID()
  const program = fileURLToPath(new URL('./http-runner.ts', import.meta.url))
  const accepting = new Promise<number>((resolve, reject) =>
    backend.onChange(async () => {
      const seen = (await backend.list(never)).get(id)
      if (seen?.kind === 'accepting') resolve(seen.address.port)
      if (seen?.kind === 'exited') reject(new Error('the runner ended in its container'))
    }),
  )
  const close = async () => {
    await backend.kill(id, never)
    await backend.forget(id)
    await backend.close()
    await folder.remove()
  }
  const own = { id, appId: 'app', revisionId: 'revision', accountId: 'account', variables: {}, mounts: [] }
  try {
    await backend.start(
      {
        ...own,
        command: [process.execPath, program, String(insidePort), '0.0.0.0'],
        image: { reference: testImage },
        limits: { cpus: 2, memoryBytes: 2 ** 30, gpus: [] }, // from when it serves it has its share of the processor
        sees: [dirname(process.execPath), program],
      },
      never,
    )
    const port = await accepting
    const { docker } = await openEngine()
    const { State, NetworkSettings } = await docker.getContainer(`carrick-${id}`).inspect()
    const host = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
    return { port, pid: State.Pid, host, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

const calls = ({ port, path, key }: Server, callers: number) =>
  perSecond(`http://127.0.0.1:${port}${path}/small`, callers, key)

async function lives({ port, path, key }: Server): Promise<number> {
  const args = [port, 64, lifecycles, `/queue${path}`, `Key ${key}`]
  return lifecycles / (await ran<{ seconds: number }>('lifecycle-load.ts', ...args)).seconds
}
