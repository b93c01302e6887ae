import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerId } from '../../domain/ids.ts'
import type { Exit, Sighting } from '../../domain/runner.ts'
import type { Logger } from '../../kit/logger.ts'
import type { ExecCommand, ExecSession, RunnerOutput, RunnerSpec } from '../backend.ts'
import { whenAccepting } from './accepting.ts'
import { endTree, sendSignal } from './end.ts'
import { startSession } from './exec.ts'
import { drain, whenDrained, type Drain } from './output.ts'
import { Pace } from './pace.ts'
import type { Ports } from './ports.ts'
import { bootId, isAlive, procOf, type ProcIdentity } from './proc.ts'
import { writeRecord } from './record.ts'
import { notAlive, Sessions } from './sessions.ts'
import { makeFolders, spawnRunner, type RunnerPorts, type Spawned } from './spawn.ts'
import type { Place } from './survivors.ts'

/** A process this server started. */
export interface RunnerProcess {
  sighting(): Sighting
  /** Sends SIGTERM to the main process, once. */
  terminate(): void
  /** Ends it and all that it started, and returns when its exit is known. */
  kill(signal: AbortSignal): Promise<void>
  /** The main process, while it lives. */
  main(): ProcIdentity | undefined
  /** Runs a command beside it. */
  exec(command: ExecCommand): Promise<ExecSession>
  /** Removes its folder and gives its ports back. Only for one that exited. */
  forget(): Promise<void>
}

export interface RunnerSetting {
  readonly place: Place
  readonly ports: Ports
  readonly basePath: string
  /** `runners/python/carrick_exec`. */
  readonly execHelper: string
  readonly log: Logger
  readonly changed: (id: RunnerId) => void
  readonly said: (output: RunnerOutput) => void
}

const couldNotSpawn: Exit = { code: 127, signal: null }
const patienceMs = 1_000
/** What a runner left behind is killed, and on a busy machine that takes a while to show. */
const endMs = 10_000

/** Starts the process. Resolves when it exists or cannot; rejects when there is no folder or port for it. */
export async function startRunnerProcess(spec: RunnerSpec, setting: RunnerSetting): Promise<RunnerProcess> {
  const { place, ports, log, changed, said } = setting
  const folder = join(place.folder, spec.id)
  const given = await prepare(spec, folder, setting)
  const spawned = await spawnRunner(spec, { folder, ports: given, place, basePath: setting.basePath })

  let sighting: Sighting = { kind: 'starting' }
  let main: ProcIdentity | undefined
  let terminated = false
  let exited: Promise<void>
  let noted: Promise<unknown> = Promise.resolve()
  const over = new AbortController()
  const sessions = new Sessions()

  function see(next: Sighting): void {
    if (sighting.kind === 'exited') return
    sighting = next
    changed(spec.id)
  }

  const endAll = (leader: ProcIdentity | undefined, signal: AbortSignal) =>
    endTree({ id: spec.id, installation: place.installation, main: leader, cgroups: place.cgroups }, signal)

  /** Sees it off: whatever it left behind would hold its pipes, its port and its memory; its last words come first. */
  async function follow(child: Spawned, pipes: Record<'stdout' | 'stderr', Drain>): Promise<void> {
    const exit = await exitOf(child)
    over.abort()
    sendSignal(-child.pid, 'SIGKILL')
    const drained = Promise.all([
      whenDrained(child.stdout, pipes.stdout, patienceMs),
      whenDrained(child.stderr, pipes.stderr, patienceMs),
    ])
    await endAll(undefined, AbortSignal.timeout(endMs)).catch((error: unknown) => {
      log.warn({ err: error, runner: spec.id }, 'processes that a runner left behind do not end')
    })
    await drained
    see({ kind: 'exited', exit })
  }

  if (spawned instanceof Error) {
    const text = `The runner's program could not be started: ${spawned.message}`
    said({ runnerId: spec.id, stream: 'stderr', text })
    see({ kind: 'exited', exit: couldNotSpawn })
    exited = Promise.resolve()
  } else {
    const { pid, stdout, stderr } = spawned
    const pace = new Pace()
    const pipes = {
      stdout: drain(stdout, (line) => said({ runnerId: spec.id, stream: 'stdout', ...line }), pace),
      stderr: drain(stderr, (line) => said({ runnerId: spec.id, stream: 'stderr', ...line }), pace),
    }
    exited = follow(spawned, pipes)
    void whenAccepting(given.app, over.signal).then((address) => address && see({ kind: 'accepting', address }))
    const startTime = procOf(pid)?.startTime
    if (startTime) {
      main = { pid, startTime, bootId: bootId() }
      noted = note(folder, spec, main, setting)
    }
  }

  return {
    sighting: () => sighting,
    terminate: () => {
      if (terminated || over.signal.aborted || !main) return
      terminated = true
      sendSignal(main.pid, 'SIGTERM')
    },
    kill: async (signal) => {
      if (sighting.kind !== 'exited') await endAll(main, signal)
      await exited
    },
    main: () => (main && isAlive(main) ? main : undefined),
    exec: async (command) => {
      await noted // the group is there
      if (!main || over.signal.aborted) throw notAlive(spec.id)
      const { installation, cgroups } = place
      const group = cgroups?.folderOf(spec.id)
      const inside = {
        id: spec.id,
        installation,
        pid: main.pid,
        startTime: main.startTime,
        group,
        program: spec.command[0] ?? '',
      }
      return sessions.open(() =>
        startSession({ ...inside, basePath: setting.basePath, helper: setting.execHelper }, command),
      )
    },
    forget: async () => {
      await noted
      for (const port of [given.app, given.metrics]) ports.giveBack(port)
      await Promise.all([rm(folder, { recursive: true, force: true }), place.cgroups?.remove(spec.id)])
    },
  }
}

/** The start waits for neither: a runner without record or group is found by its environment. */
function note(folder: string, spec: RunnerSpec, main: ProcIdentity, { place, log }: RunnerSetting): Promise<unknown> {
  return Promise.all([
    writeRecord(folder, spec, main).catch((error: unknown) => {
      log.warn({ err: error, runner: spec.id }, 'the record of a runner could not be written')
    }),
    place.cgroups?.join(spec.id, main.pid).catch(() => {}), // the process may be gone already
  ])
}

async function prepare(spec: RunnerSpec, folder: string, { place, ports }: RunnerSetting): Promise<RunnerPorts> {
  await Promise.all([makeFolders(folder), place.cgroups?.make(spec.id)])
  const [app, metrics] = await Promise.all([ports.take(), ports.take()])
  return { app, metrics }
}

async function exitOf(child: Spawned): Promise<Exit> {
  const [code, signal]: (number | string | null)[] = await once(child, 'exit')
  return { code: typeof code === 'number' ? code : null, signal: typeof signal === 'string' ? signal : null }
}
