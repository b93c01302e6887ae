import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerId } from '../../domain/ids.ts'
import type { Address, Exit, Sighting } from '../../domain/runner.ts'
import type { Logger } from '../../kit/logger.ts'
import type { ExecCommand, ExecSession, RunnerOutput, RunnerSpec } from '../backend.ts'
import { Frozen } from '../frozen.ts'
import { listenersOf } from '../listeners.ts'
import { hear, whenAccepting } from './accepting.ts'
import type { Bounds } from './bounds.ts'
import { endTree, type Tree } from './end.ts'
import { startSession } from './exec.ts'
import { onFixedPort, thoseOf } from './fixed-port.ts'
import type { Begun } from './fork-server.ts'
import { mainFile, type Isolation } from './isolation.ts'
import type { Launcher } from './launcher.ts'
import { drain, whenDrained, type Drain } from './output.ts'
import { Pace } from './pace.ts'
import type { Ports } from './ports.ts'
import { bootId, isAlive, procOf, type ProcIdentity } from './proc.ts'
import { writeRecord, type Recorded } from './record.ts'
import { notAlive, Sessions } from './sessions.ts'
import { sendSignal } from './signals.ts'
import { dismiss } from './spare.ts'
import { makeFolders, spawnRunner, type RunnerPorts, type Spawned } from './spawn.ts'
import type { Place } from './survivors.ts'

/** A process this server started. */
export interface RunnerProcess {
  sighting(): Sighting
  /** Sends SIGTERM to the main process, once; one that was frozen goes on to hear it. */
  terminate(signal: AbortSignal): Promise<void>
  /** How it is stopped in its tracks, with all that it started. */
  readonly frozen: Frozen
  /** Ends it and all that it started, and returns when its exit is known. */
  kill(signal: AbortSignal): Promise<void>
  /** The main process, while it lives. */
  main(): ProcIdentity | undefined
  /** Where its programs listen, besides the port that they are told. */
  listening(): Promise<readonly Address[] | undefined>
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
  /** None where the machine has no Python of its own. */
  readonly launcher: Launcher | undefined
  readonly bounds: Bounds
  readonly isolation: Isolation
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
  let main: ProcIdentity | undefined
  let noted: Promise<unknown> = Promise.resolve()
  const { ports: given, begun } = await prepare(spec, folder, setting)
  function noteMain(pid: number): Promise<unknown> {
    const startTime = procOf(pid)?.startTime
    if (startTime === undefined) return noted
    main = { pid, startTime, bootId: bootId() }
    const group = begun === undefined || begun instanceof Error ? undefined : setting.launcher?.groupOf(begun)
    noted = note(folder, spec, { ...main, group }, setting)
    return noted
  }
  const spawned =
    begun instanceof Error
      ? begun
      : await spawnRunner(spec, { ...setting, folder, ports: given, begun, note: noteMain })

  let sighting: Sighting = { kind: 'starting' }
  let terminated = false
  let killed = false
  let exited: Promise<void>
  const over = new AbortController()
  const sessions = new Sessions()
  const move = (yes: boolean) => async () => {
    if (!over.signal.aborted) await place.cgroups?.freeze?.(spec.id, yes).catch(unlessOver(over.signal))
  }
  const frozen = new Frozen({ stop: move(true), go: move(false) })

  function see(next: Sighting): void {
    if (sighting.kind === 'exited') return
    sighting = next
    changed(spec.id)
  }

  const treeBelow = (leader: ProcIdentity | undefined): Tree => {
    return { id: spec.id, installation: place.installation, main: leader, cgroups: place.cgroups }
  }
  const endAll = (leader: ProcIdentity | undefined, signal: AbortSignal) => endTree(treeBelow(leader), signal)

  /** Sees it off: whatever it left behind would hold its pipes, its port and its memory; its last words come first. */
  async function follow(child: Spawned, pipes: Record<'stdout' | 'stderr', Drain>): Promise<void> {
    const exit = await child.exited
    over.abort()
    sendSignal(-child.pid, 'SIGKILL')
    setting.bounds.ended(spec.id)
    const drained = Promise.all([
      whenDrained(child.stdout, pipes.stdout, patienceMs),
      whenDrained(child.stderr, pipes.stderr, patienceMs),
    ])
    await endAll(undefined, AbortSignal.timeout(endMs)).catch((error: unknown) => {
      log.warn({ err: error, runner: spec.id }, 'processes that a runner left behind do not end')
    })
    const oom = killed || exit.code === 0 ? undefined : await setting.bounds.whyOutOfMemory(spec)
    await drained
    if (oom !== undefined) said({ runnerId: spec.id, stream: 'stderr', text: oom })
    see({ kind: 'exited', exit, ...(oom === undefined ? {} : { exceeded: 'oom' }) })
  }

  function accept(address: Address): void {
    see({ kind: 'accepting', address })
    setting.launcher?.prepare()
    setting.bounds.serves(spec).catch((error: unknown) => {
      if (!over.signal.aborted) log.warn({ err: error, runner: spec.id }, 'the CPU of a runner could not be bounded')
    })
  }

  if (spawned instanceof Error) {
    const text = `The runner's program could not be started: ${spawned.message}`
    said({ runnerId: spec.id, stream: 'stderr', text })
    see({ kind: 'exited', exit: couldNotSpawn })
    exited = Promise.resolve()
  } else {
    const { stdout, stderr, word } = spawned
    const pace = new Pace()
    const pipes = {
      stdout: drain(stdout, (line) => said({ runnerId: spec.id, stream: 'stdout', ...line }), pace),
      stderr: drain(stderr, (line) => said({ runnerId: spec.id, stream: 'stderr', ...line }), pace),
    }
    exited = follow(spawned, pipes)
    const { ownNetwork } = setting.isolation
    const elsewhere =
      spec.exposedPort === undefined || ownNetwork ? undefined : onFixedPort(spec.exposedPort, () => treeBelow(main))
    const looking = { onceBound: ownNetwork, elsewhere }
    void whenAccepting(given.app, hear(word), over.signal, looking).then((address) => address && accept(address))
  }

  return {
    sighting: () => sighting,
    frozen,
    terminate: async (signal) => {
      if (terminated || over.signal.aborted || !main) return
      terminated = true
      await frozen.thaw(signal)
      if (!over.signal.aborted) sendSignal(main.pid, 'SIGTERM')
    },
    kill: async (signal) => {
      killed = true
      if (sighting.kind !== 'exited') await endAll(main, signal)
      await exited
    },
    main: () => (main && isAlive(main) ? main : undefined),
    listening: async () => {
      if (over.signal.aborted || main === undefined) return undefined
      if (!setting.isolation.ownNetwork) return thoseOf(treeBelow(main), await listenersOf(main.pid))
      const program = await programIn(folder)
      if (program === undefined) return undefined
      const ways = setting.isolation.waysOut(Object.values(given), spec.exposedPort)
      return (await listenersOf(program.pid)).filter(({ port }) => !ways.has(port))
    },
    exec: async (command) => {
      await noted
      const program = setting.isolation.apart ? await programIn(folder) : main
      if (!program || over.signal.aborted) throw notAlive(spec.id)
      const { installation, cgroups } = place
      const groups = cgroups?.foldersOf(spec.id) ?? []
      const inside = {
        id: spec.id,
        installation,
        pid: program.pid,
        startTime: program.startTime,
        groups,
        confined: setting.isolation.apart,
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

/** What fails while it ends fails because it ends. */
function unlessOver(over: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!over.aborted) throw error
  }
}

/** The runner's program, which is not the process that we started when it is in namespaces of its own. */
async function programIn(folder: string): Promise<Pick<ProcIdentity, 'pid' | 'startTime'> | undefined> {
  return procOf(Number(await readFile(mainFile(folder), 'utf8').catch(() => '')))
}

/** A runner without a record is found by its environment, once it has one. */
function note(folder: string, spec: RunnerSpec, main: Recorded, { log }: RunnerSetting): Promise<unknown> {
  return writeRecord(folder, spec, main).catch((error: unknown) => {
    log.warn({ err: error, runner: spec.id }, 'the record of a runner could not be written')
  })
}

interface Prepared {
  readonly ports: RunnerPorts
  /** What waits to become it; why there is none; or nothing, where runners begin without. */
  readonly begun: Begun | Error | undefined
}

async function prepare(spec: RunnerSpec, folder: string, setting: RunnerSetting): Promise<Prepared> {
  const { ports, bounds, launcher } = setting
  const beginning = launcher
    ?.begin(spec) // first: it may have control groups
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
  try {
    const bounded = bounds.prepare(spec).then(async () => {
      const begun = await beginning
      if (begun !== undefined && !(begun instanceof Error)) launcher?.admit(begun, spec)
      return begun
    })
    const [begun, app, metrics] = await Promise.all([bounded, ports.take(), ports.take(), makeFolders(folder)])
    return { ports: { app, metrics }, begun }
  } catch (error) {
    void beginning?.then((begun) => begun instanceof Error || dismiss(begun))
    throw error
  }
}
