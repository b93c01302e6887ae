import { type ChildProcess, execFile, spawn, type SpawnOptions } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { RunnerSpec } from '../backend.ts'
import type { Cgroups } from './cgroups.ts'
import { Spare } from './spare.ts'

/** How a runner's program begins: by a small Python program (`carrick_launch`) that puts itself where the runner belongs. */
export interface Launcher {
  spawn(
    spec: RunnerSpec,
    variables: Readonly<Record<string, string>>,
    how: {
      readonly cwd: string
      /** The launcher's options for its isolation. */
      readonly apart: readonly string[]
    },
  ): ChildProcess
  /** Has a process wait for the next runner, once it is quiet. */
  prepare(): void
  close(): void
}

export interface LauncherParts {
  /** An interpreter of the machine: a runner's own is its author's choice. */
  readonly python: string
  /** The folder `carrick_launch`. */
  readonly program: string
  readonly cgroups: Cgroups | undefined
}

export function createLauncher({ python, program, cgroups }: LauncherParts): Launcher {
  const begin = (args: readonly string[], how: SpawnOptions) =>
    spawn(python, ['-I', '-S', join(program, '__main__.py'), ...args], {
      ...how,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
  const spare = new Spare(() => begin([], { cwd: '/', env: {} }))
  return {
    prepare: () => spare.prepare(),
    close: () => spare.close(),
    spawn: (spec, variables, { cwd, apart }) => {
      const options = [...groupsOf(spec, cgroups), ...rlimitsOf(spec, cgroups), ...apart]
      const args = [...options, '--', ...spec.command]
      const block = environmentBlock(variables)
      const told = toldTo(['--cwd', cwd, ...args])
      const waiting = spare.take()
      const env = pick(variables, ['PATH', 'CARRICK_RUNNER_ID', 'CARRICK_INSTALLATION'])
      const child = waiting ?? begin(args, { cwd, env })
      const pipe = child.stdio[3]
      if (pipe instanceof Writable) pipe.on('error', () => {}).end(waiting ? told + block : block) // one that has ended needs none
      return child
    },
  }
}

/** A Python 3.9 or newer on this PATH. */
export async function findPython(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const program = join(folder, 'python3')
    if (await isNewEnough(program)) return program
  }
  return undefined
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK)
    const test = 'import sys; sys.exit(sys.version_info < (3, 9))'
    await promisify(execFile)(program, ['-I', '-S', '-c', test], { timeout: 10_000, env: {} })
    return true
  } catch {
    return false
  }
}

/**
 * The one that gives way to all others comes last: the kernel has one lock for who is in which group, which every fork takes
 * too, and who is made to wait with it would stop them all.
 */
function groupsOf({ id }: RunnerSpec, cgroups: Cgroups | undefined): readonly string[] {
  const { cpu, others } = cgroups?.foldersAtStart(id) ?? { cpu: undefined, others: [] }
  const last = cpu === undefined ? [] : ['--group', cpu, '--way-out-group', cpu]
  return [...others.flatMap((folder) => ['--group', folder]), ...last]
}

/** A bound for each process, where there is none for all together. */
function rlimitsOf({ limits }: RunnerSpec, cgroups: Cgroups | undefined): readonly string[] {
  return limits === undefined || cgroups?.held.has('memory') ? [] : ['--data', String(limits.memoryBytes)]
}

function environmentBlock(variables: Readonly<Record<string, string>>): string {
  const entries = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const broken = entries.find((entry) => entry.includes('\0'))
  if (broken !== undefined) throw new Error(`its variable ${broken.split('=', 1)[0]} holds a zero byte`)
  return entries.map((entry) => `${entry}\0`).join('')
}

/** For one that waits: what others have as arguments, with its length in bytes on a line before it. */
function toldTo(args: readonly string[]): string {
  if (args.some((arg) => arg.includes('\0'))) throw new Error('an argument of its command holds a zero byte')
  const text = args.join('\0')
  return `${Buffer.byteLength(text)}\n${text}`
}

function pick(from: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))
}
