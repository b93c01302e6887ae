import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { sendSignal } from '../packages/server/src/backends/process/signals.ts'
import { accepts } from '../packages/server/src/scheduler/probe.ts'
import { createPorts } from '../packages/server/src/backends/process/start/ports.ts'
import type { Carrick } from '../test/e2e/carrick.ts'

/** What the platform starts, to be started by hand. */
export interface Command {
  readonly args: readonly string[]
  readonly variables: Record<string, string>
  readonly cwd: string
}

/** The command line and environment of a runner's program that is alive, as the kernel tells them: not of what put it in its place. */
export async function commandOfRunner(carrick: Carrick): Promise<Command> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (!environ.includes('CARRICK_CALLABLE=') || !environ.includes(carrick.folder)) continue
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1)
    const pairs = environ.split('\0').filter((pair) => pair.includes('='))
    const variables = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    )
    // What it waits for when it has a network of its own, and the pipe to the server.
    const { CARRICK_RUNNER_NETWORK: _network, CARRICK_LISTENING_FD: _fd, ...kept } = variables
    return { args, variables: kept, cwd: '/tmp' }
  }
  throw new Error('no runner is alive')
}

/** Milliseconds until so many, spawned at once, accept connections. They are gone afterwards: who comes next has the machine alone. */
export async function spawnToPorts({ args, variables, cwd }: Command, count: number): Promise<number> {
  const free = await createPorts() // never one of them twice
  const ports = await Promise.all(Array.from({ length: count }, async () => [await free.take(), await free.take()]))
  const started = performance.now()
  const children = ports.map(([port, metrics]) => {
    const env = { ...variables, PORT: String(port), METRICS_PORT: String(metrics) }
    return spawn(args[0] ?? '', args.slice(1), { env, cwd, stdio: 'ignore', detached: true })
  })
  const broken = Promise.race(
    children.map(async (child) => {
      await once(child, 'exit')
      throw new Error(`the command ended by itself, with ${child.exitCode ?? child.signalCode}`)
    }),
  )
  broken.catch(() => {}) // once all ports are open they are killed
  try {
    // One alone is watched closely; the looks at many would slow them down.
    await Promise.race([broken, Promise.all(ports.map(([port]) => opened(port ?? 0, count === 1 ? 2 : 50)))])
    return performance.now() - started
  } finally {
    await Promise.all(children.map(ended))
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  sendSignal(-child.pid, 'SIGKILL')
  await gone
}

async function opened(port: number, everyMs: number): Promise<void> {
  while (!(await accepts({ host: '127.0.0.1', port }))) await new Promise((wake) => setTimeout(wake, everyMs))
}
