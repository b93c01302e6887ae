import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { Readable } from 'node:stream'
import type { Exit } from '../../../domain/runner.ts'
import type { RunnerSpec } from '../../backend.ts'
import type { Begun } from './fork-server.ts'
import { networkFile, type Isolation } from '../isolation/isolation.ts'
import type { Launcher } from './launcher.ts'
import { dismiss } from './spare.ts'
import type { Place } from '../end/survivors.ts'

export interface RunnerPorts {
  readonly app: number
  readonly metrics: number
}

export interface Spawned {
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  /** Where a program that knows of it says that it listens (`carrick_runner/listening.py`). */
  readonly word: Readable
  readonly exited: Promise<Exit>
}

/** As the child counts: before it come the usual three, and the one by which a launcher is told the variables. */
const wordFd = 4

/** A runner's folder holds its record, its working folder (also its home), its temporary files, and what stands at its `/`. */
export function makeFolders(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Temporary files are not below `work`: a path to a Unix socket may have 107 characters, and libraries put them here.
  for (const name of ['work', 'tmp']) mkdirSync(join(folder, name), { recursive: true })
}

export interface RunnerPlace {
  readonly folder: string
  readonly ports: RunnerPorts
  readonly place: Place
  readonly basePath: string
  /** What waits to become it, where the machine has a Python of its own. */
  readonly begun: Begun | undefined
  readonly launcher: Launcher | undefined
  readonly isolation: Isolation
}

/** Spawns it in a session of its own with nothing of the server's environment. Answers the error when it cannot. */
export async function spawnRunner(
  spec: RunnerSpec,
  { folder, ports, place, basePath, begun, launcher, isolation }: RunnerPlace,
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
  const cwd = join(folder, 'work')
  try {
    if (launcher === undefined || begun === undefined) return await spawnPlainly(program, args, { cwd, env })
    const apart = await isolation.optionsFor(spec, { folder, ports: Object.values(ports) })
    launcher.become(begun, spec, env, { cwd, apart })
    return begun
  } catch (error) {
    if (begun) dismiss(begun)
    return error instanceof Error ? error : new Error(String(error)) // such as a zero byte in a variable
  }
}

async function spawnPlainly(
  program: string,
  args: readonly string[],
  how: { readonly cwd: string; readonly env: Record<string, string> },
): Promise<Spawned> {
  const child = spawn(program, args, { ...how, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe'] })
  const { pid, stdout, stderr } = child
  const word = child.stdio[wordFd]
  if (pid === undefined || stdout === null || stderr === null || !(word instanceof Readable)) {
    const [error]: unknown[] = await once(child, 'error')
    throw error
  }
  return { pid, stdout, stderr, word, exited: exitOf(child) }
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal]: (number | string | null)[] = await once(child, 'exit')
  return { code: typeof code === 'number' ? code : null, signal: typeof signal === 'string' ? signal : null }
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
