import type {
  BackendFreezer,
  ExecSession,
  RunnerBackend,
  RunnerOutline,
  RunnerOutput,
  RunnerSpec,
  RunnerUsage,
} from '../backends/backend.ts'
import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Address, Exit, Sighting } from '../domain/runner.ts'

interface FakeRunner {
  readonly spec: RunnerSpec
  sighting: Sighting
  /** SIGTERM has come. */
  asked: boolean
}

/** A backend in memory, moved by hand. A runner stays `starting` until a test says otherwise; only kill works by itself. */
export class FakeBackend implements RunnerBackend {
  readonly withoutMounts = undefined
  readonly confinement = []
  readonly name = 'process'
  /** Runners that are frozen. */
  readonly frozen = new Set<RunnerId>()
  /** What the next thaws fail with. */
  stuck: Error | undefined
  readonly freezer: BackendFreezer = {
    freeze: async (id) => void this.frozen.add(id),
    thaw: async (id) => {
      if (this.stuck) throw this.stuck
      this.frozen.delete(id)
    },
  }
  /** Every spec that was started, in that order. */
  readonly started: RunnerSpec[] = []
  /** Runners for which all was made ready, and that have neither started nor been forgotten. */
  readonly prepared = new Set<RunnerId>()
  /** What the next starts are refused with. */
  refusal: Error | undefined
  /** Where runners listen that are asked for it. Undefined: that cannot be seen. */
  listensOn: readonly Address[] | undefined
  /** Whether SIGTERM ends a runner at once, as it does with one that has nothing to do. */
  obedient = true
  readonly #runners = new Map<RunnerId, FakeRunner>()
  readonly #changed: ((id: RunnerId) => void)[] = []
  readonly #heard: ((output: RunnerOutput) => void)[] = []
  #port = 40_000

  /** Runners that have not exited, in the order they were started. */
  get alive(): readonly RunnerId[] {
    return [...this.#runners].filter(([, { sighting }]) => sighting.kind !== 'exited').map(([id]) => id)
  }

  /** Runners that got SIGTERM and still live. */
  get finishing(): readonly RunnerId[] {
    return this.alive.filter((id) => this.#runners.get(id)?.asked)
  }

  /** Runners that are known here at all: alive, or exited and not yet forgotten. */
  get known(): readonly RunnerId[] {
    return [...this.#runners.keys()]
  }

  hasEnded(id: RunnerId): boolean {
    return this.#runners.get(id)?.sighting.kind === 'exited'
  }

  /** Its port is open now. */
  accept(id: RunnerId, address: Address = { host: '127.0.0.1', port: (this.#port += 1) }): void {
    this.#see(id, { kind: 'accepting', address })
  }

  exit(id: RunnerId, exit: Exit = { code: 0, signal: null }): void {
    this.#see(id, { kind: 'exited', exit })
  }

  say(runnerId: RunnerId, text: string, stream: RunnerOutput['stream'] = 'stdout'): void {
    for (const hear of this.#heard) hear({ runnerId, stream, text })
  }

  prepare({ id }: RunnerOutline): void {
    this.prepared.add(id)
  }

  async start(spec: RunnerSpec): Promise<void> {
    this.prepared.delete(spec.id)
    if (this.refusal) throw this.refusal
    if (this.#runners.has(spec.id)) return
    this.started.push(spec)
    this.#runners.set(spec.id, { spec, sighting: { kind: 'starting' }, asked: false })
    this.#tell(spec.id)
  }

  async terminate(id: RunnerId): Promise<void> {
    const runner = this.#runners.get(id)
    if (runner === undefined) return
    runner.asked = true
    this.frozen.delete(id)
    if (this.obedient) this.exit(id, { code: 143, signal: null })
  }

  async kill(id: RunnerId): Promise<void> {
    if (this.#runners.get(id)?.sighting.kind !== 'exited') this.exit(id, { code: null, signal: 'SIGKILL' })
  }

  async list(_signal: AbortSignal, only?: ReadonlySet<RunnerId>): Promise<ReadonlyMap<RunnerId, Sighting>> {
    const listed = new Map<RunnerId, Sighting>()
    for (const id of only ?? this.#runners.keys()) {
      const runner = this.#runners.get(id)
      if (runner !== undefined) listed.set(id, runner.sighting)
    }
    return listed
  }

  async usage(): Promise<ReadonlyMap<RunnerId, RunnerUsage>> {
    return new Map(this.alive.map((id) => [id, { cpuSeconds: 1, memoryBytes: 1_048_576 }] as const))
  }

  /** Nothing can be run beside what has no process. */
  async listening(): Promise<readonly Address[] | undefined> {
    return this.listensOn
  }

  async exec(id: RunnerId): Promise<ExecSession> {
    throw new CarrickError('exec_failed', `runner ${id} is a fake`)
  }

  async forget(id: RunnerId): Promise<void> {
    this.prepared.delete(id)
    if (this.#runners.get(id)?.sighting.kind === 'exited') this.#runners.delete(id)
  }

  onChange(listener: (id: RunnerId) => void): void {
    this.#changed.push(listener)
  }

  onOutput(listener: (output: RunnerOutput) => void): void {
    this.#heard.push(listener)
  }

  async close(): Promise<void> {
    await Promise.all(this.known.map((id) => this.kill(id)))
  }

  #see(id: RunnerId, sighting: Sighting): void {
    const runner = this.#runners.get(id)
    if (runner === undefined || runner.sighting.kind === 'exited') return
    runner.sighting = sighting
    this.#tell(id)
  }

  #tell(id: RunnerId): void {
    for (const tell of this.#changed) tell(id)
  }
}
