import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openEngine } from '../packages/server/src/backends/docker/engine.ts'
import { openDocker, testImage } from '../packages/server/src/backends/docker/testing.ts'
import { beside } from './beside.ts'
import { median, type Report } from './report.ts'
import { ran, start, startServer, type Inside, type Server } from './server.ts'

const seconds = Number(process.env['BENCH_SECONDS'] ?? 4)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const lifecycles = 3_000
const never = new AbortController().signal

/**
 * Question: do calls per second hold when the runner is a container? Expected: yes, where the server may enter the
 * container's network: its connections are as near there as in its own. By the published port it is less than half: a process of
 * the engine copies each byte twice. One program is the runner twice, as a process of this machine, where the process backend's
 * are reached too, and in a container; each way is a server of its own, by turns. Both have a control group of their own, as
 * runners of both backends do: without one the process alone would have as much of a busy machine as it likes, and one caller
 * waits for a runner that waits for the processor.
 */
export async function containerCalls(report: Report): Promise<void> {
  await using program = start('http-runner.ts')
  const { port } = await program.hear<{ port: number }>()
  await using container = await startInContainer()
  using _alike = beside(container.pid, program.pid)
  const servers = {
    process: await startServer('durable', port),
    container: await startServer('durable', container.port, container),
    published: await startServer('durable', container.port),
  }
  try {
    for (const callers of [1, 32, 256]) {
      await compare(report, `small direct calls, ${callers} callers`, servers, (server) => calls(server, callers))
    }
    await compare(report, 'lifecycles, 64 callers', servers, lives)
  } finally {
    for (const server of Object.values(servers)) await server[Symbol.asyncDispose]()
  }
}

type Servers = Readonly<Record<'process' | 'container' | 'published', Server>>

async function compare(report: Report, what: string, servers: Servers, measure: (server: Server) => Promise<number>) {
  const found: Record<keyof Servers, number[]> = { process: [], container: [], published: [] }
  const ways = ['process', 'container', 'published'] as const
  for (const way of ways) await measure(servers[way]) // warms the code up
  for (let round = 0; round < rounds; round += 1) for (const way of ways) found[way].push(await measure(servers[way]))
  const [process, container, published] = [median(found.process), median(found.container), median(found.published)]
  report.add(`${what}: container ÷ process (${Math.round(container)}/s)`, container / process, { atLeast: 0.95 })
  report.add(`${what}: by the published port ÷ process (${Math.round(published)}/s)`, published / process)
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
        command: [process.execPath, program, '8080', '0.0.0.0'],
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

async function calls({ port, path, key }: Server, callers: number): Promise<number> {
  const url = `http://127.0.0.1:${port}${path}/small`
  const args = ['-t', '1', '-c', String(callers), '-d', `${seconds}s`, '-H', `Authorization: Key ${key}`, url]
  const { stdout } = await promisify(execFile)('wrk', args)
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk ${url}: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

async function lives({ port, path, key }: Server): Promise<number> {
  const args = [port, 64, lifecycles, `/queue${path}`, `Key ${key}`]
  return lifecycles / (await ran<{ seconds: number }>('lifecycle-load.ts', ...args)).seconds
}
