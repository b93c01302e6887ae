/**
 * Runners as containers of one engine on this machine: each in namespaces of its own, reached by a port that is
 * published on loopback. The engine and this server see the same files.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerId } from '../../domain/ids.ts'
import type { Sighting } from '../../domain/runner.ts'
import type { Logger } from '../../kit/logger.ts'
import type { WaysIn } from '../../kit/ways-in.ts'
import type { BackendFreezer, RunnerBackend, RunnerOutput } from '../backend.ts'
import { notAlive } from '../process/sessions.ts'
import { RunnerContainer } from './runner/container.ts'
import { answerMs, unless, type Engine } from './engine/engine.ts'
import { Entries } from './runner/entry.ts'
import { watchEngine, type EngineEvent, type EngineWatch } from './engine/watch.ts'
import type { EngineInside } from './engine/inside.ts'
import { filterFor, runnerIn } from './labels.ts'
import type { IngressDoor } from './network/network.ts'
import type { ContainerSetting, PullCredentials } from './setting.ts'
import { openWalls, type WallSettings } from './walls/walls.ts'

export interface DockerBackendOptions {
  readonly engine: Engine
  /** Holds a folder per runner. One backend at a time. */
  readonly folder: string
  /** Tells our containers from those of another installation on this engine. */
  readonly installation: string
  readonly log: Logger
  /** Where runners reach the platform. Absent: nowhere. */
  readonly ingress?: IngressDoor
  /** What keeps runners within their bounds and apart, where it is not as usual. */
  readonly walls?: Partial<WallSettings>
  /** Of a rootless engine, where somebody has entered it already. */
  readonly inside?: EngineInside | undefined
  /** Where callers look for nearer ways to runners. Absent: they are called by their published ports. */
  readonly waysIn?: WaysIn
  /** By whom an image is pulled that the engine does not have. Absent: by nobody in particular. */
  readonly authFor?: (reference: string) => Promise<PullCredentials | undefined>
}

const noFreezing = 'an engine that is not run by root can pause containers only with control groups of version 2'
const left = 'a runner could not be ended with the server: the next start ends it'

/** Opens the engine's part of this installation. Runners of a former server process are listed as starting. */
export async function createDockerBackend(options: DockerBackendOptions): Promise<RunnerBackend> {
  const { engine, folder, installation, log, waysIn, authFor = async () => undefined } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const walls = await openWalls(options)
  const entries = await Entries.open(log)
  const changeListeners: ((id: RunnerId) => void)[] = []
  const outputListeners: ((output: RunnerOutput) => void)[] = []
  const runners = new Map<RunnerId, RunnerContainer>()
  /** Containers of a former server process, by runner. */
  const survivors = new Map<RunnerId, string>()
  let watch: EngineWatch | undefined
  const setting: ContainerSetting = {
    engine,
    walls,
    installation,
    log,
    authFor,
    near: entries && waysIn && { entries, waysIn },
    folderOf: (id) => join(folder, id),
    whenBack: async (signal) => watch?.whenBack(signal),
    changed: (id) => changeListeners.forEach((tell) => tell(id)),
    said: (output) => outputListeners.forEach((tell) => tell(output)),
  }

  walls.onFull((id, sentence) => runners.get(id)?.exceed('disk', sentence))

  const remove = (container: string) =>
    unless([404, 409], engine.docker.getContainer(container).remove({ force: true, v: true }))

  /** What the engine has of us: what we know learns of it, what runs unknown is a survivor, the rest is left over. */
  async function compare(signal: AbortSignal): Promise<void> {
    const filters = { label: filterFor(installation) }
    const found = await engine.docker.listContainers({ all: true, filters, abortSignal: signal })
    const states = new Map(found.map(({ Labels, State }) => [runnerIn(Labels), State]))
    survivors.clear()
    for (const { Id, Labels, State } of found) {
      const id = runnerIn(Labels)
      if (id === undefined || runners.has(id)) continue
      if (State === 'running' || State === 'paused') survivors.set(id, Id)
      else await remove(Id)
    }
    await Promise.all(Array.from(runners.values(), (runner) => runner.hears(states.get(runner.spec.id))))
  }

  function hear({ action, attributes }: EngineEvent): void {
    const id = runnerIn(attributes) ?? ''
    const runner = runners.get(id)
    if (action === 'oom') runner?.ranOutOfMemory()
    if (action === 'exec_die') runner?.commandEnded(attributes['execID'] ?? '', Number(attributes['exitCode']))
    if (action !== 'die') return
    void runner?.died(Number(attributes['exitCode'] ?? NaN))
    survivors.delete(id)
  }

  watch = await watchEngine({
    engine,
    labels: filterFor(installation),
    log,
    onEvent: hear,
    onHeard: compare,
    onDeaf: () => runners.forEach((runner) => runner.lookAlone()),
  })

  async function kill(id: RunnerId, signal: AbortSignal): Promise<void> {
    const runner = runners.get(id)
    if (runner) return runner.kill(signal)
    const former = survivors.get(id)
    if (former === undefined) return
    await remove(former)
    survivors.delete(id)
  }

  const freezer: BackendFreezer = {
    freeze: async (id, signal) => runners.get(id)?.freeze(signal),
    thaw: async (id, signal) => runners.get(id)?.thaw(signal),
  }

  const sightingOf = (id: RunnerId): Sighting => runners.get(id)?.sighting() ?? { kind: 'starting' }

  return {
    name: 'docker',
    withoutMounts: undefined,
    confinement: walls.confinement,
    requireRuntime: (name) => walls.requireRuntime(name),
    ...(engine.facts.isRootless && engine.facts.cgroupVersion === 1 ? { withoutFreezing: noFreezing } : { freezer }),
    start: async (spec, signal) => {
      signal.throwIfAborted()
      if (survivors.has(spec.id)) return
      const runner = runners.get(spec.id) ?? new RunnerContainer(spec, setting)
      runners.set(spec.id, runner)
      await runner.begun()
    },
    terminate: async (id, signal) => {
      const former = survivors.get(id)
      if (former !== undefined) await unless([404, 409], engine.docker.getContainer(former).kill({ signal: 'SIGTERM' }))
      await runners.get(id)?.terminate(signal)
    },
    kill,
    list: async (_signal, only) => {
      const all = [...survivors.keys(), ...runners.keys()]
      const ids = only === undefined ? all : [...only].filter((id) => survivors.has(id) || runners.has(id))
      return new Map(ids.map((id) => [id, sightingOf(id)]))
    },
    listening: async (id) => runners.get(id)?.listening(),
    isListening: async (id) => (await runners.get(id)?.isListening()) ?? false,
    usage: async () => {
      const used = await Promise.all(Array.from(runners, async ([id, runner]) => [id, await runner.usage()] as const))
      return new Map(used.flatMap(([id, usage]) => (usage === undefined ? [] : [[id, usage] as const])))
    },
    exec: async (id, command, signal) => {
      signal.throwIfAborted()
      const runner = runners.get(id)
      if (runner === undefined) throw notAlive(id)
      return runner.exec(command)
    },
    forget: async (id) => {
      const runner = runners.get(id)
      if (runner?.sighting().kind !== 'exited') return
      await runner.forget()
      runners.delete(id)
    },
    onChange: (listener) => void changeListeners.push(listener),
    onOutput: (listener) => void outputListeners.push(listener),
    close: async () => {
      const ids = [...runners.keys(), ...survivors.keys()]
      const end = async (id: RunnerId) => {
        await kill(id, AbortSignal.timeout(answerMs))
        await runners.get(id)?.forget()
      }
      await Promise.all(ids.map((id) => end(id).catch((error: unknown) => log.warn({ err: error, runner: id }, left))))
      await watch.close()
      entries?.close()
      await walls.close()
    },
  }
}
