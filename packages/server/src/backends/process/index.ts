/**
 * Runners as processes of this machine (Linux): each in a session of its own, with a working folder, ports and an
 * environment of its own.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerId } from '../../domain/ids.ts'
import type { Sighting } from '../../domain/runner.ts'
import type { Logger } from '../../kit/logger.ts'
import type { BackendFreezer, RunnerBackend, RunnerOutput, RunnerSpec } from '../backend.ts'
import { createBounds } from './groups/bounds.ts'
import { openCgroups } from './groups/cgroups.ts'
import { endTree } from './end/end.ts'
import type { Walls } from './start/fork-server.ts'
import { openIsolation, type Ingress, type Isolation } from './isolation/isolation.ts'
import { createLauncher, findPython } from './start/launcher.ts'
import { whyNoMounts } from './isolation/namespaces.ts'
import { createPorts } from './start/ports.ts'
import { Preparations } from './start/preparation.ts'
import { isAlive } from './proc.ts'
import { startRunnerProcess, type RunnerProcess } from './run/runner-process.ts'
import { notAlive } from './sessions.ts'
import type { RunnerSetting } from './setting.ts'
import { sendSignal } from './signals.ts'
import { findSurvivors, type Place, type Survivors } from './end/survivors.ts'
import { usageOf } from './run/usage.ts'

/** Among the folders of runners, and never the name of one. */
const rootsName = 'roots'

export interface ProcessBackendOptions {
  /** Holds a folder per runner. One backend at a time. */
  readonly folder: string
  /** Tells our processes from those of another installation on this machine. */
  readonly installation: string
  readonly log: Logger
  /** The PATH of runners; an interpreter's own folder comes before it. */
  readonly basePath?: string
  /** The Python program that carries a session: `runners/python/carrick_exec`. */
  readonly execHelper: string
  /** The Python program by which runners begin: `runners/python/carrick_launch`. */
  readonly launchHelper: string
  /** Most processes and threads of one runner. */
  readonly tasks?: number
  /** Whether a runner that serves may use no more CPU than its machine type has, even when nobody else wants it. */
  readonly hardCpu?: boolean
  /** `false`: processes are found by group, parents and environment alone, as where no control group can be made. */
  readonly cgroups?: boolean
  /** `false`: runners see the machine as it is, and nothing at paths of their own. */
  readonly mounts?: boolean
  /** Whether each runner has namespaces of its own: `auto` is what the machine allows, `always` refuses to open without. */
  readonly isolation?: 'auto' | 'always' | 'never'
  /** Folders that no runner sees, but for what is its own there. */
  readonly hidden?: readonly string[]
  /** Folders of the machine that every runner sees, and may write to, for all that is hidden in them. */
  readonly shared?: readonly string[]
  readonly ingress?: Ingress
  /** What runners need besides the folder: no mount may hide it. */
  readonly needed?: readonly string[]
}

const noFreezing = 'the server may make no control groups of version 2 below its own'

/** Opens the folder. Runners of a former server process are listed as starting: nobody reads their pipes any more. */
export async function createProcessBackend(options: ProcessBackendOptions): Promise<RunnerBackend> {
  const { folder, installation, log, basePath = '/usr/local/bin:/usr/bin:/bin', needed = [] } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const place: Place = {
    folder,
    installation,
    cgroups: options.cgroups === false ? undefined : await openCgroups(installation),
  }
  const withoutMounts = options.mounts === false ? 'CARRICK_MOUNTS is "never"' : await whyNoMounts([folder, ...needed])
  const python = await findPython(basePath)
  const { cgroups } = place
  const tasks = options.tasks ?? 8_192
  const bounds = createBounds({
    cgroups,
    launches: python !== undefined,
    hardCpu: options.hardCpu ?? true,
    tasks,
  })
  const isolation = await openIsolation({
    mode: options.isolation ?? 'never',
    python,
    program: options.launchHelper,
    hidden: [folder, ...(options.hidden ?? [])],
    shared: options.shared ?? [],
    ingress: options.ingress,
  })
  const root = join(folder, rootsName)
  const changeListeners: ((id: RunnerId) => void)[] = []
  const outputListeners: ((output: RunnerOutput) => void)[] = []
  const setting: RunnerSetting = {
    place,
    log,
    basePath,
    execHelper: options.execHelper,
    launcher:
      python === undefined
        ? undefined
        : createLauncher({
            python,
            program: options.launchHelper,
            cgroups,
            walls: wallsOf(isolation),
            root,
            limits: { tasks },
          }),
    bounds,
    isolation,
    ports: await createPorts(),
    changed: (id) => changeListeners.forEach((tell) => tell(id)),
    said: (output) => outputListeners.forEach((tell) => tell(output)),
  }
  const runners = new Map<RunnerId, Promise<RunnerProcess>>()
  const preparations = new Preparations(setting)
  let survivors: Survivors = await findSurvivors(place)
  await removeLeftovers(
    place,
    (await readdir(folder)).filter((id) => !survivors.has(id)),
  )
  await Promise.all([mkdir(root, { recursive: true }), cgroups?.tidy()])

  /** The runner, once its start is over; nothing when that failed. */
  const runnerOf = (id: RunnerId) => runners.get(id)?.catch(() => undefined)

  /** Nothing new of a former server process can appear, so the machine is looked at only while something is left. */
  async function lookAgain(): Promise<void> {
    if (survivors.size === 0) return
    const found = new Map([...(await findSurvivors(place))].filter(([id]) => survivors.has(id)))
    const gone = [...survivors.keys()].filter((id) => !found.has(id))
    survivors = found
    await removeLeftovers(place, gone)
  }

  /** The main processes of those that live. */
  async function living(): Promise<ReadonlyMap<RunnerId, number>> {
    const found = await Promise.all(
      [...runners.keys()].map(async (id) => [id, (await runnerOf(id))?.main()?.pid] as const),
    )
    return new Map(found.flatMap(([id, pid]) => (pid === undefined ? [] : [[id, pid] as const])))
  }

  const freezer: BackendFreezer = {
    freeze: async (id, signal) => (await runnerOf(id))?.frozen.freeze(signal),
    thaw: async (id, signal) => (await runnerOf(id))?.frozen.thaw(signal),
  }

  const begun = async (spec: RunnerSpec) => startRunnerProcess(spec, await preparations.take(spec), setting)

  async function kill(id: RunnerId, signal: AbortSignal): Promise<void> {
    const runner = await runnerOf(id)
    if (runner) return runner.kill(signal)
    await endTree({ id, installation, main: survivors.get(id), cgroups: place.cgroups }, signal)
    await lookAgain()
  }

  async function sightingOf(id: RunnerId): Promise<Sighting> {
    return (await runnerOf(id))?.sighting() ?? { kind: 'starting' }
  }

  return {
    name: 'process',
    withoutMounts,
    confinement: [...bounds.confinement, ...isolation.confinement],
    prepare: (outline) => {
      if (!survivors.has(outline.id) && !runners.has(outline.id)) preparations.begin(outline)
    },
    start: async (spec, signal) => {
      signal.throwIfAborted()
      if (survivors.has(spec.id)) return
      const starting = runners.get(spec.id) ?? begun(spec)
      runners.set(spec.id, starting)
      try {
        await starting
      } catch (error) {
        runners.delete(spec.id)
        throw error
      }
    },
    ...(cgroups?.freeze ? { freezer } : { withoutFreezing: noFreezing }),
    terminate: async (id, signal) => {
      const runner = await runnerOf(id)
      if (runner) return runner.terminate(signal)
      const former = survivors.get(id)
      if (former && isAlive(former)) sendSignal(former.pid, 'SIGTERM')
    },
    kill,
    list: async (_signal, only) => {
      if (only === undefined) await lookAgain()
      const all = () => [...survivors.keys(), ...runners.keys()]
      const ids = only === undefined ? all() : [...only].filter((id) => survivors.has(id) || runners.has(id))
      return new Map(await Promise.all(ids.map(async (id) => [id, await sightingOf(id)] as const)))
    },
    listening: async (id) => (await runnerOf(id))?.listening(),
    usage: async () => usageOf(await living(), place),
    exec: async (id, command, signal) => {
      signal.throwIfAborted()
      const runner = await runnerOf(id)
      if (!runner) throw notAlive(id)
      return runner.exec(command)
    },
    forget: async (id) => {
      await preparations.drop(id)
      const runner = await runnerOf(id)
      if (runner?.sighting().kind !== 'exited') return
      await runner.forget()
      runners.delete(id)
    },
    onChange: (listener) => void changeListeners.push(listener),
    onOutput: (listener) => void outputListeners.push(listener),
    close: async () => {
      const ids = [...runners.keys(), ...survivors.keys()]
      await Promise.all(ids.map((id) => kill(id, AbortSignal.timeout(10_000))))
      await preparations.close()
      await setting.launcher?.close() // it tells how they ended
      await Promise.all([place.cgroups?.close(), rm(root, { recursive: true, force: true })])
    },
  }
}

function wallsOf({ apart, ownNetwork }: Isolation): Walls {
  if (ownNetwork) return 'network'
  return apart ? 'apart' : 'plain'
}

/** Folders and control groups of runners that are gone. */
async function removeLeftovers({ folder, cgroups }: Place, gone: readonly RunnerId[]): Promise<void> {
  await Promise.all(gone.map((id) => rm(join(folder, id), { recursive: true, force: true })))
  if (cgroups) await Promise.all(gone.map((id) => cgroups.remove(id)))
}
