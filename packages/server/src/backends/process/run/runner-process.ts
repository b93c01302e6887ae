import { readFile, rm } from 'node:fs/promises'
import type { Address, Exit, Sighting } from '../../../domain/runner.ts'
import type { ExecCommand, ExecSession, RunnerSpec } from '../../backend.ts'
import { Frozen } from '../../frozen.ts'
import { listenersOf } from '../../listeners.ts'
import { hear, whenAccepting } from './accepting.ts'
import { endTree, type Tree } from '../end/end.ts'
import { startSession } from './exec.ts'
import { onFixedPort, thoseOf } from './fixed-port.ts'
import { mainFile } from '../isolation/isolation.ts'
import { drain, whenDrained, type Drain } from '../output.ts'
import { Pace } from '../pace.ts'
import { identityOf, note, type Prepared } from '../start/preparation.ts'
import { isAlive, procOf, type ProcIdentity } from '../proc.ts'
import { notAlive, Sessions } from '../sessions.ts'
import type { RunnerSetting } from '../setting.ts'
import { sendSignal } from '../signals.ts'
import { spawnRunner, type Spawned } from '../start/spawn.ts'

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

const couldNotSpawn: Exit = { code: 127, signal: null }
const patienceMs = 1_000
/** What a runner left behind is killed, and on a busy machine that takes a while to show. */
const endMs = 10_000

/** Starts the process, for which all was made ready. Resolves when it exists or cannot. */
export async function startRunnerProcess(
  spec: RunnerSpec,
  prepared: Prepared,
  setting: RunnerSetting,
): Promise<RunnerProcess> {
  const { place, ports, log, changed, said } = setting
  const { folder, ports: given, begun, main: known } = prepared
  const spawned = begun instanceof Error ? begun : await spawnRunner(spec, { ...setting, folder, ports: given, begun })
  const main = known ?? (spawned instanceof Error ? undefined : identityOf(spawned.pid))
  if (known === undefined && main !== undefined) note(folder, spec, main, setting)

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
    setting.bounds.begins(spec)
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
      if (over.signal.aborted) return
      sendSignal(main.pid, 'SIGTERM')
      setting.bounds.ends(spec)
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
