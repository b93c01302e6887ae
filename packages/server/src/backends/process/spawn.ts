import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { RunnerSpec } from '../backend.ts'
import { networkFile, type Isolation } from './isolation.ts'
import type { Launcher } from './launcher.ts'
import type { Place } from './survivors.ts'

export interface RunnerPorts {
  readonly app: number
  readonly metrics: number
}

export type Spawned = ChildProcess & {
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  /** Where a program that knows of it says that it listens (`carrick_runner/listening.py`). */
  readonly word: Readable
}

/** As the child counts: before it come the usual three, and the one by which a launcher is told the variables. */
const wordFd = 4

/** A runner's folder holds its record, its working folder (also its home), its temporary files, and what stands at its `/`. */
export async function makeFolders(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Temporary files are not below `work`: a path to a Unix socket may have 107 characters, and libraries put them here.
  await Promise.all([mkdir(join(folder, 'work'), { recursive: true }), mkdir(join(folder, 'tmp'), { recursive: true })])
}

export interface RunnerPlace {
  readonly folder: string
  readonly ports: RunnerPorts
  readonly place: Place
  readonly basePath: string
  readonly launcher: Launcher | undefined
  readonly isolation: Isolation
}

/** Spawns it in a session of its own with nothing of the server's environment. Answers the error when it cannot. */
export async function spawnRunner(
  spec: RunnerSpec,
  { folder, ports, place, basePath, launcher, isolation }: RunnerPlace,
): Promise<Spawned | Error> {
  const [program, ...args] = spec.command
  if (!program) return new Error('its command is empty')
  const env = {
    PATH: isAbsolute(program) ? dirname(program) + delimiter + basePath : basePath,
    LANG: 'C.UTF-8',
    HOME: join(folder, 'work'),
    TMPDIR: join(folder, 'tmp'),
    ...spec.variables,
    PORT: String(ports.app),
    METRICS_PORT: String(ports.metrics),
    CARRICK_RUNNER_ID: spec.id,
    CARRICK_INSTALLATION: place.installation,
    CARRICK_LISTENING_FD: String(wordFd),
    ...(spec.mounts.length === 0 || isolation.apart ? {} : { CARRICK_RUNNER_MOUNTS: mountsFor(spec, folder) }),
    ...waitFor(networkFile(isolation, folder)),
    ...(spec.exposedPort === undefined || isolation.ownNetwork ? {} : oneAtATime(spec.exposedPort, isolation)),
  }
  const how = { cwd: join(folder, 'work') }
  try {
    const child = launcher
      ? launcher.spawn(spec, env, {
          ...how,
          apart: await isolation.optionsFor(spec, { folder, ports: Object.values(ports) }),
        })
      : spawn(program, args, { ...how, detached: true, env, stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe'] })
    if (child.pid !== undefined) return Object.assign(child, { word: child.stdio[wordFd] }) as Spawned
    const [error] = await once(child, 'error')
    return error instanceof Error ? error : new Error(String(error))
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error)) // such as a zero byte in a variable
  }
}

/** What the bootstrap says when the app turns out to bind a port of its own choice. */
function oneAtATime(port: number, { confinement }: Isolation): Record<string, string> {
  const why = confinement.find(({ part }) => part === 'network')?.why ?? 'this machine gives them none'
  const said =
    `This app binds port ${port} by itself, and runners share this machine's network (${why}): ` +
    'only one runner of it can serve at a time. Set max_concurrency to 1, or let it bind the port that PORT names'
  return { CARRICK_RUNNER_SHARED_PORT: said }
}

/** The bootstrap waits for it before it loads the app. */
function waitFor(file: string | undefined): Record<string, string> {
  return file === undefined ? {} : { CARRICK_RUNNER_NETWORK: file }
}

/** A namespace can only be entered by the process itself: ours does it before anything else (`carrick_runner/mounts.py`). */
function mountsFor({ mounts }: RunnerSpec, folder: string): string {
  return JSON.stringify({ root: join(folder, 'root'), layers: join(folder, 'layers'), mounts })
}
