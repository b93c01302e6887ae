import type { RunnerBackend, RunnerSpec } from '../../packages/server/src/backends/backend.ts'
import { Readable } from 'node:stream'
import type { Caller, Relayed } from '../../packages/server/src/calls/call.ts'
import { CarrickError } from '../../packages/server/src/domain/errors.ts'
import type { AppId, RevisionId, RunnerId } from '../../packages/server/src/domain/ids.ts'
import type { Placement } from '../../packages/server/src/domain/placement.ts'
import type { Exit, Sighting } from '../../packages/server/src/domain/runner.ts'
import type { Probe } from '../../packages/server/src/scheduler/probe.ts'
import type { Chance } from '../crash/chance.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One call that a runner works at. */
interface Execution {
  readonly end: (how: Relayed['kind'] | 'lost') => void
}

/** A runner as its machine has it. */
export interface SimRunner {
  readonly spec: RunnerSpec
  readonly machine: string
  readonly gpus: readonly number[]
  readonly startedAt: number
  readonly port: number
  sighting: Sighting
  asked: boolean
  frozen: boolean
  /** Since when it answers no health check well. */
  illSince?: number
  readonly executions: Set<Execution>
}

/** What goes wrong, and how often: from 0 for never to 1 for always. */
export interface Faults {
  refused: number
  crashedStart: number
  hungStart: number
  deafToTerm: number
  /** Of calls that never get an answer. */
  hungCall: number
  stoppedByApp: number
  /** Of runners that crash while they serve, in an hour. */
  crashPerHour: number
  /** Of those that begin to answer badly whenever their health is asked about. */
  illPerHour: number
  /** Of health checks that fail although the runner is well. */
  failedCheck: number
  listFails: number
  /** Of runners that are to be frozen, or to go on, and are not. */
  noFreeze: number
  noThaw: number
  /** Of changes that nobody is told of. */
  untold: number
}

export const noFaults: Faults = {
  refused: 0,
  crashedStart: 0,
  hungStart: 0,
  deafToTerm: 0,
  hungCall: 0,
  stoppedByApp: 0,
  crashPerHour: 0,
  illPerHour: 0,
  failedCheck: 0,
  listFails: 0,
  noFreeze: 0,
  noThaw: 0,
  untold: 0,
}

/** What the machines are called. */
export const machineIds = ['m1', 'm2', 'm3'] as const
const hourMs = 3_600_000

/** The machines, and the runners on them: they go on when a server ends. */
export class Machines {
  readonly runners = new Map<RunnerId, SimRunner>()
  /** Revisions whose starts all fail. */
  readonly bad = new Set<RevisionId>()
  faults: Faults
  starts = 0
  calls = 0
  freezes = 0
  /** Starts, ends and signals so far: when nothing happens any more it stands still. */
  deeds = 0
  /** Where runners are to be, as their launch says. */
  readonly placements = new Map<RunnerId, Placement>()
  /** Machines that are in maintenance, since when nothing may be started there any more, and until when all must be gone. */
  readonly closed = new Map<string, { readonly since: number; readonly emptyBy: number }>()
  /** Told of what may never be. */
  onBroken: (what: string) => void = () => {}
  /** Told of each call that begins. */
  onCall: (requestId: string, runner: SimRunner) => void = () => {}
  readonly #byPort = new Map<number, SimRunner>()
  readonly #time: VirtualTime
  readonly #chance: Chance
  #port = 1
  #tell: (id: RunnerId) => void = () => {}

  constructor(time: VirtualTime, chance: Chance, faults: Faults) {
    this.#time = time
    this.#chance = chance
    this.faults = faults
  }

  get alive(): readonly SimRunner[] {
    return [...this.runners.values()].filter(({ sighting }) => sighting.kind !== 'exited')
  }

  /** Calls that live runners of an app work at. */
  runningOf(appId: AppId): number {
    return this.alive.reduce((sum, { spec, executions }) => sum + (spec.appId === appId ? executions.size : 0), 0)
  }

  /** A machine is gone with all that was on it, and comes back empty. Some connections hang, and not everybody is told. */
  lose(machine: string = this.#chance.pick(machineIds)): number {
    const lost = [...this.runners.values()].filter((runner) => runner.machine === machine)
    const hang = this.#chance.next() < 0.3
    for (const runner of lost) {
      this.runners.delete(runner.spec.id)
      this.#byPort.delete(runner.port)
      runner.sighting = { kind: 'exited', exit: { code: null, signal: null } }
      if (!hang) for (const { end } of runner.executions) end('lost')
      this.#changed(runner.spec.id)
    }
    return lost.length
  }

  /** As one server sees them. Once the signal says that it ended, nothing is answered any more. */
  connect(ended: AbortSignal): RunnerBackend {
    const answer = async (least: number, most: number): Promise<void> => {
      await this.#time.rest(this.#chance.between(least, most))
      if (ended.aborted) await new Promise(() => {})
    }
    const listeners: ((id: RunnerId) => void)[] = []
    this.#tell = (id) => {
      if (!ended.aborted) for (const listener of listeners) listener(id)
    }
    return {
      name: 'process',
      withoutMounts: undefined,
      confinement: [],
      freezer: {
        freeze: async (id) => {
          await answer(5, 50)
          if (this.#chance.next() < this.faults.noFreeze) throw new Error('it cannot be frozen')
          this.#freeze(id)
        },
        thaw: async (id) => {
          await answer(1, 30)
          if (this.#chance.next() < this.faults.noThaw) throw new Error('it does not go on')
          const runner = this.runners.get(id)
          if (runner) runner.frozen = false
        },
      },
      start: async (spec) => {
        await answer(5, 50)
        if (this.#chance.next() < this.faults.refused) throw new Error('no room for another process')
        this.#start(spec)
      },
      terminate: async (id) => {
        await answer(1, 5)
        this.#terminate(id)
      },
      kill: async (id) => {
        await answer(5, 100)
        this.#exit(id, { code: null, signal: 'SIGKILL' })
      },
      list: async (_signal, only) => {
        await answer(0, 5)
        if (this.#chance.next() < this.faults.listFails) throw new Error('the machines do not answer')
        const found = only ? [...only].flatMap((id) => this.runners.get(id) ?? []) : this.runners.values()
        return new Map(Array.from(found, ({ spec, sighting }) => [spec.id, sighting] as const))
      },
      usage: async () => new Map(),
      exec: async () => {
        throw new CarrickError('exec_failed', 'nothing can be run here')
      },
      forget: async (id) => {
        const runner = this.runners.get(id)
        if (runner?.sighting.kind !== 'exited') return
        this.runners.delete(id)
        this.#byPort.delete(runner.port)
      },
      onChange: (listener) => void listeners.push(listener),
      onOutput: () => {},
      close: async () => {},
    }
  }

  /** How one server calls runners. */
  caller(ended: AbortSignal, serviceMs: (appId: AppId) => number): Caller {
    return {
      exchange: async ({ port }, _call, { requestTimeoutMs, signal }) => {
        const relayed = await this.call(port, '', requestTimeoutMs, serviceMs, signal)
        if (ended.aborted) return await new Promise(() => {})
        if (relayed.kind !== 'answered') return relayed
        const body = Readable.from([Buffer.from(aResult)])
        return { kind: 'answered', status: 200, headers: [], body, ended: Promise.resolve({ kind: 'complete' }) }
      },
      relay: async ({ port }, { headers }, { requestTimeoutMs, signal }, begin) => {
        const id = headers.find(([name]) => name === 'x-fal-request-id')?.[1] ?? ''
        const relayed = await this.call(port, id, requestTimeoutMs, serviceMs, signal)
        if (ended.aborted) return await new Promise(() => {})
        if (relayed.kind === 'answered') begin(relayed.status, relayed.headers)?.end('{}')
        return relayed
      },
      close: async () => {},
    }
  }

  /** One call. It ends with an answer, with its runner, or with its time. */
  call(
    port: number,
    requestId: string,
    timeoutMs: number,
    serviceMs: (appId: AppId) => number,
    signal?: AbortSignal,
  ): Promise<Relayed> {
    const runner = this.#byPort.get(port)
    if (runner?.sighting.kind !== 'accepting')
      return Promise.resolve({ kind: 'refused', message: 'nobody listens' } as const)
    if (runner.frozen) this.onBroken(`${requestId || 'a call'} was sent to ${runner.spec.id}, which is frozen`)
    const { resolve, promise } = Promise.withResolvers<Relayed>()
    const execution: Execution = {
      end: (kind) => {
        if (!runner.executions.delete(execution)) return
        stop.forEach((each) => each())
        resolve(relayedAs(kind, timeoutMs, this.#chance.next() < this.faults.stoppedByApp ? 503 : 200))
      },
    }
    const takesMs = this.#chance.next() < this.faults.hungCall ? Infinity : serviceMs(runner.spec.appId)
    const ends: 'answered' | 'timed_out' = takesMs < timeoutMs ? 'answered' : 'timed_out'
    const stop = [this.#time.after(Math.min(takesMs, timeoutMs), () => execution.end(ends))]
    signal?.addEventListener('abort', () => execution.end('aborted'), { once: true })
    runner.executions.add(execution)
    this.calls += 1
    this.onCall(requestId, runner)
    return promise
  }

  #start(spec: RunnerSpec): void {
    if (this.runners.has(spec.id)) return
    this.deeds += 1
    this.starts += 1
    const port = (this.#port += 1)
    const { machineId: machine, gpus } = this.#placementOf(spec.id)
    const runner: SimRunner = {
      spec,
      machine,
      gpus,
      port,
      startedAt: this.#time.now(),
      sighting: { kind: 'starting' },
      asked: false,
      frozen: false,
      executions: new Set(),
    }
    this.#checkPlace(runner)
    this.runners.set(spec.id, runner)
    this.#byPort.set(port, runner)
    const readyMs = 300 * Math.exp(3 * this.#chance.next())
    const luck = this.bad.has(spec.revisionId) ? 0 : this.#chance.next()
    if (luck < this.faults.crashedStart || (luck === 0 && this.#chance.next() < 0.7))
      this.#time.after(readyMs / 2, () => this.#exit(spec.id, { code: 1, signal: null }))
    else if (luck !== 0 && luck > this.faults.crashedStart + this.faults.hungStart)
      this.#time.after(readyMs, () => this.#accept(runner))
  }

  #accept(runner: SimRunner): void {
    if (runner.sighting.kind !== 'starting') return
    runner.sighting = { kind: 'accepting', address: { host: '127.0.0.1', port: runner.port } }
    this.#changed(runner.spec.id)
    this.#oneDay('crashPerHour', () => this.#exit(runner.spec.id, { code: 139, signal: null }))
    this.#oneDay('illPerHour', () => (runner.illSince = this.#time.now()))
  }

  /** At a random moment, so often in an hour. */
  #oneDay(fault: 'crashPerHour' | 'illPerHour', strike: () => void): void {
    if (this.faults[fault] === 0) return
    const after = (-Math.log(1 - this.#chance.next()) * hourMs) / this.faults[fault]
    this.#time.after(Math.min(after, 200 * hourMs), () => {
      if (this.faults[fault] > 0) strike()
    })
  }

  /** How the platform looks whether runners are well. */
  readonly probe: Probe = {
    accepts: async ({ port }) => {
      await this.#time.rest(this.#chance.between(1, 50))
      return this.#byPort.get(port)?.sighting.kind === 'accepting'
    },
    whatIsWrong: async ({ port }, { timeoutSeconds }) => {
      const runner = this.#byPort.get(port)
      if (runner?.frozen === true) this.onBroken(`${runner.spec.id} is asked for its health while it is frozen`)
      const isBad = runner?.illSince !== undefined || this.#chance.next() < this.faults.failedCheck
      await this.#time.rest(isBad && port % 2 === 0 ? timeoutSeconds * 1_000 : this.#chance.between(1, 100))
      if (runner?.sighting.kind !== 'accepting') return 'failed: nobody listens'
      return isBad ? 'answered 500' : undefined
    },
  }

  #placementOf(id: RunnerId): Placement {
    const placement = this.placements.get(id)
    if (placement === undefined) throw new Error(`${id} was started without a place`)
    return placement
  }

  /** No GPU is two runners' at a time, and nothing is started on a machine in maintenance; it may be on its way. */
  #checkPlace({ spec, machine, gpus }: SimRunner): void {
    for (const other of this.alive)
      if (other.machine === machine && other.gpus.some((index) => gpus.includes(index)))
        this.onBroken(`${spec.id} and ${other.spec.id} have the same GPU of ${machine}`)
    const closed = this.closed.get(machine)
    if (closed !== undefined && this.#time.now() > closed.since + onItsWayMs)
      this.onBroken(`${spec.id} was started on ${machine}, which is in maintenance`)
  }

  #freeze(id: RunnerId): void {
    const runner = this.runners.get(id)
    if (runner?.sighting.kind !== 'accepting' || runner.asked) return
    if (runner.executions.size > 0) this.onBroken(`${id} was frozen at work`)
    this.freezes += 1
    runner.frozen = true
  }

  /** Most finish what they do and go; some need long after that, some do not listen. */
  #terminate(id: RunnerId): void {
    const runner = this.runners.get(id)
    if (runner === undefined || runner.asked) return
    this.deeds += 1
    runner.asked = true
    runner.frozen = false
    if (this.#chance.next() < this.faults.deafToTerm) return
    const teardownMs = this.#chance.next() < 0.1 ? this.#chance.between(0, 20_000) : this.#chance.between(10, 500)
    const look = (): void => {
      if (runner.executions.size > 0) this.#time.after(500, look)
      else this.#time.after(teardownMs, () => this.#exit(id, { code: 143, signal: null }))
    }
    look()
  }

  #exit(id: RunnerId, exit: Exit): void {
    const runner = this.runners.get(id)
    if (runner === undefined || runner.sighting.kind === 'exited') return
    this.deeds += 1
    runner.sighting = { kind: 'exited', exit }
    for (const { end } of runner.executions) end('disconnected')
    this.#changed(id)
  }

  #changed(id: RunnerId): void {
    if (this.#chance.next() >= this.faults.untold) this.#tell(id)
  }
}

/** How long a start that was decided before may take to be made. */
const onItsWayMs = 5_000
/** What a function brings forth. */
const aResult = `${JSON.stringify({ method: 'pickle', raised: false })}\nx`

function relayedAs(kind: Relayed['kind'] | 'lost', afterMs: number, status: number): Relayed {
  if (kind === 'answered') return { kind, status, headers: [], end: { kind: 'complete' } }
  if (kind === 'timed_out') return { kind, afterMs }
  if (kind === 'aborted') return { kind }
  return { kind: kind === 'lost' ? 'connection_error' : kind, message: 'its runner is gone' }
}
