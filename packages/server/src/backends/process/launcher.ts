import { execFile, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { RunnerSpec } from '../backend.ts'
import type { Cgroups } from './cgroups.ts'
import { type Begun, ForkServer, type Walls } from './fork-server.ts'
import { Spare } from './spare.ts'

/** How a runner's program begins: by a small Python program (`carrick_launch`) that puts itself where the runner belongs. */
export interface Launcher {
  /** A process that becomes nothing until it is told to. Throws a sentence when there can be none. */
  begin(): Promise<Begun>
  /** Has it enter the runner's control groups, which are there. It takes the kernel some milliseconds: the sooner the better. */
  admit(begun: Begun, spec: RunnerSpec): void
  /** Has it become the runner's program, once it was admitted. Throws a sentence when what it would be told cannot be told. */
  become(
    begun: Begun,
    spec: RunnerSpec,
    variables: Readonly<Record<string, string>>,
    how: {
      readonly cwd: string
      /** The launcher's options for its isolation. */
      readonly apart: readonly string[]
    },
  ): void
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
  readonly walls: Walls
}

export function createLauncher({ python, program, cgroups, walls }: LauncherParts): Launcher {
  const args = ['-I', '-S', join(program, '__main__.py')]
  const begin = () =>
    spawn(python, args, { cwd: '/', env: {}, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  const forks = new ForkServer(begin, walls)
  const spare = new Spare(() => forks.begin())
  return {
    prepare: () => spare.prepare(),
    close: () => {
      spare.close()
      forks.close()
    },
    begin: async () => spare.take() ?? forks.begin(),
    admit: ({ told }, spec) => void told.on('error', () => {}).write(toldTo(groupsOf(spec, cgroups))), // one that has ended needs none
    become: ({ told }, spec, variables, { cwd, apart }) => {
      const options = ['--cwd', cwd, ...wayOutGroupOf(spec, cgroups), ...rlimitsOf(spec, cgroups), ...apart]
      told.end(toldTo([...options, '--', ...spec.command]) + environmentBlock(variables))
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
  return cpu === undefined ? others : [...others, cpu]
}

/** In which its way out is to begin, which is outside of its namespaces. */
function wayOutGroupOf({ id }: RunnerSpec, cgroups: Cgroups | undefined): readonly string[] {
  const cpu = cgroups?.foldersAtStart(id).cpu
  return cpu === undefined ? [] : ['--way-out-group', cpu]
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

/** Words with a zero byte between them, with their length in bytes on a line before them. */
function toldTo(args: readonly string[]): string {
  if (args.some((arg) => arg.includes('\0'))) throw new Error('an argument of its command holds a zero byte')
  const text = args.join('\0')
  return `${Buffer.byteLength(text)}\n${text}`
}
