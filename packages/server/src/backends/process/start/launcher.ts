import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants, readdirSync, readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { RunnerSpec } from '../../backend.ts'
import type { GroupLimits } from '../groups/files.ts'
import type { Cgroups } from '../groups/cgroups.ts'
import { type Begun, ForkServer, type Walls } from './fork-server.ts'
import { dismiss, Spare } from './spare.ts'

type Named = Pick<RunnerSpec, 'id'>

/** How a runner's program begins: by a small Python program (`carrick_launch`) that puts itself where the runner belongs. */
export interface Launcher {
  /**
   * A process that becomes nothing until it is told to. Throws a sentence when there can be none. Where one waits already it
   * has control groups, which are the runner's from now on.
   */
  begin(runner: Named): Promise<Begun>
  /** What the control groups of one that waited are called. */
  groupOf(begun: Begun): string | undefined
  /** Has it enter the runner's control groups, which are there. It takes the kernel some milliseconds: the sooner the better. */
  admit(begun: Begun, runner: Named): void
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
  close(): Promise<void>
}

export interface LauncherParts {
  /** An interpreter of the machine: a runner's own is its author's choice. */
  readonly python: string
  /** The folder `carrick_launch`. */
  readonly program: string
  readonly cgroups: Cgroups | undefined
  readonly walls: Walls
  /** An empty folder. In it the files of each are put together, where nobody else sees them. */
  readonly root: string
  /** Bounds of one that waits. */
  readonly limits: GroupLimits
}

export function createLauncher({ python, program, cgroups, walls, root, limits }: LauncherParts): Launcher {
  const args = ['-I', '-S', join(program, '__main__.py')]
  const begin = () =>
    spawn(python, args, { cwd: root, env: {}, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  const forks = new ForkServer(begin, walls)
  const ahead = new WeakMap<Begun, string>()
  /** Groups that are nobody's yet. */
  const unclaimed = new Set<string>()
  const spare = new Spare(() => beginAhead(), machineSeen)

  /** In groups of its own: the kernel takes its time to move a process, so the next start finds that done. */
  async function beginAhead(): Promise<Begun> {
    const begun = await forks.begin()
    if (cgroups === undefined) return begun
    const name = `ahead-${randomUUID()}`
    try {
      await cgroups.make(name, { ...limits, waits: true })
    } catch (error) {
      dismiss(begun)
      throw error
    }
    ahead.set(begun, name)
    unclaimed.add(name)
    void begun.exited.then(() => (unclaimed.delete(name) ? cgroups.remove(name) : undefined))
    begun.told.on('error', () => {}).write(toldTo(groupsOf(name, cgroups)))
    return begun
  }

  return {
    prepare: () => spare.prepare(),
    close: async () => {
      await spare.close()
      forks.close()
    },
    begin: async ({ id }) => {
      const begun = spare.take()
      const group = begun && ahead.get(begun)
      if (group !== undefined) cgroups?.adopt(id, group)
      if (group !== undefined) unclaimed.delete(group)
      return begun ?? forks.begin()
    },
    groupOf: (begun) => ahead.get(begun),
    admit: (begun, { id }) => {
      if (ahead.has(begun)) return
      begun.told.on('error', () => {}).write(toldTo(groupsOf(id, cgroups))) // one that has ended needs none
    },
    become: ({ told }, spec, variables, { cwd, apart }) => {
      const options = ['--cwd', cwd, ...wayOutGroupOf(spec, cgroups), ...rlimitsOf(spec, cgroups), ...apart]
      told.end(toldTo([...options, '--', ...spec.command]) + environmentBlock(variables))
    },
  }
}

/** What containers come and go with, which no runner is shown. */
const ofContainers = / - (?:overlay|nsfs|tmpfs shm) |\/(?:[\w-]*containers|netns)\//

/** What one that waits has seen of the machine: it has put its files together from it. */
function machineSeen(): string {
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    const lasting = mounts.filter((line) => !ofContainers.test(line))
    return [...lasting, ...readdirSync('/'), ...readdirSync('/dev')].join('\n')
  } catch {
    return '' // no Linux
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
function groupsOf(id: string, cgroups: Cgroups | undefined): readonly string[] {
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
