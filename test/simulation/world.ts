import type { Hardware } from '../../packages/server/src/domain/hardware.ts'
import type { KnownApp } from '../../packages/server/src/home/apps.ts'
import { runnerVerdict } from '../../packages/server/src/domain/retry.ts'
import type { AppId, RequestId, RunnerId } from '../../packages/server/src/domain/ids.ts'
import type { NewRequest } from '../../packages/server/src/domain/request.ts'
import { accept } from '../../packages/server/src/home/accept.ts'
import type { Logger } from '../../packages/server/src/kit/logger.ts'
import { hostSpec } from '../../packages/server/src/api/runs/host-spec.ts'
import { testSpec } from '../../packages/server/src/testing/scheduler.ts'
import { testHardware } from '../../packages/server/src/testing/hardware.ts'
import { chanceOf, type Chance } from '../crash/chance.ts'
import { machineIds, Machines, noFaults, type Faults } from './machines.ts'
import { MemoryStore } from './memory-store.ts'
import { startServer, type Server } from './server.ts'
import { VirtualTime } from './virtual-time.ts'

const eventsKept = 60
/** What requests have at a planned stop, and runners after that. */
const graceMs = 30_000
const longestGraceMs = 5_000
const marginMs = 15_000

/** Each with eight GPUs, in two regions. */
function threeMachines(runnersPerMachine: number): Hardware {
  const { machines, ...rest } = testHardware({}, { runnersPerMachine })
  const gpus = Array.from({ length: 8 }, (_, index) => ({ index, name: 'NVIDIA H100 80GB HBM3' }))
  const regions = ['eu-west', 'eu-west', 'us-east']
  return { ...rest, machines: machineIds.map((id, at) => ({ ...machines[0]!, id, gpus, region: regions[at]! })) }
}

/** Everything there is: time, machines, the store's disk, and the server while there is one. */
export class World {
  readonly time = new VirtualTime(1_800_000_000_000)
  readonly began = this.time.now()
  readonly chance: Chance
  readonly machines: Machines
  readonly memory: MemoryStore
  /** In half of the worlds there is room for few runners, so that some wait for others to go. */
  readonly hardware: Hardware
  /** The last things that happened, for whoever looks at a seed that failed. */
  readonly events: string[] = []
  /** What must never be, and was. */
  readonly broken: string[] = []
  /** Acknowledged requests of the queue, and how often each may run. */
  readonly acknowledged = new Map<RequestId, number>()
  readonly counts = { queued: 0, direct: 0, served: 0, functions: 0, crashes: 0, restarts: 0 }
  server: Server | undefined
  #requests = 0

  constructor(seed: string, faults: Faults) {
    this.chance = chanceOf(seed)
    this.machines = new Machines(this.time, this.chance, faults)
    this.memory = new MemoryStore(this.time, this.chance)
    this.hardware = threeMachines(this.chance.next() < 0.5 ? 4 : 1_000)
    this.machines.onBroken = (what) => this.break(what)
    this.memory.rows(`insert into account (id, nickname, full_name, created_at) values ('account-1', 'ann', 'Ann', 0)`)
  }

  get apps(): readonly KnownApp[] {
    return this.server ? [...this.server.apps.all()] : []
  }

  note(what: string): void {
    const seconds = (this.time.now() - this.began) / 1_000
    this.events.push(`${seconds.toFixed(3)} s: ${what}`)
    if (this.events.length > eventsKept) this.events.shift()
  }

  break(what: string): void {
    this.note(`BROKEN: ${what}`)
    this.broken.push(this.events.at(-1)!)
  }

  async start(): Promise<void> {
    const { time, chance, memory, machines, hardware } = this
    const parts = { time, chance, memory, machines, hardware }
    const log: Logger = {
      info: (fields, message) => this.break(`${message}: ${JSON.stringify(fields)}`), // there is only one such word
      warn: (_, message) => this.note(message),
      error: (fields, message) => this.#reported(fields, message),
    }
    this.server = await startServer({ ...parts, log, serviceMs: (id) => this.serviceMs(id) })
    this.note('the server serves')
  }

  crash(): void {
    if (this.server === undefined) return
    this.note('the server is killed')
    this.counts.crashes += 1
    this.server.crash()
    this.server = undefined
    this.time.after(this.chance.between(100, 20_000), () => this.do(this.start()))
  }

  /** As `carrick up` that takes the place of another: what runs may finish, and nothing is left when the next one begins. */
  async restart(): Promise<void> {
    const { server, time } = this
    if (server === undefined || server.isDraining) return
    this.note('the server is to go')
    this.counts.restarts += 1
    server.isDraining = true
    const began = time.now()
    await Promise.all([server.scheduler.stop({ graceMs }), server.dispatcher.stop({ graceMs })])
    if (this.server !== server) return // it was killed meanwhile
    const took = time.now() - began
    if (took > graceMs + longestGraceMs + marginMs) this.break(`a planned stop took ${took} ms`)
    const left = this.machines.alive.length
    if (left > 0) this.break(`${left} runners are left after a planned stop`)
    this.note(`the server has gone after ${took} ms`)
    server.crash()
    this.server = undefined
    await this.start()
  }

  /** A call of a function, as `fal run` makes it. Some callers go before it is over. */
  async run(name: string): Promise<void> {
    const { server, time, chance } = this
    if (server === undefined || server.isDraining) return
    const gone = new AbortController()
    const impatient = chance.next() < 0.1 ? chance.between(100, 20_000) : 1_800_000
    const stop = time.after(impatient, () => gone.abort(new Error('its caller is gone')))
    const facts = { accountId: 'account-1', name, environment: 'main', spec: { ...testSpec(), ...hostSpec({}) } }
    const asked = { id: `run-${(this.#requests += 1)}`, code: { method: 'pickle', definition: new Uint8Array([1]) } }
    this.counts.functions += 1
    await server.functions
      .call({ ...facts, place: 'there', secrets: {} }, { ...asked, say: () => {}, signal: gone.signal })
      .finally(stop)
    this.counts.served += 1
  }

  /** Work of the world that nobody waits for. */
  do(work: Promise<unknown>): void {
    const server = this.server
    work.catch((error: unknown) => {
      if (server === this.server || this.server === undefined) this.note(`refused: ${String(error)}`)
    })
  }

  /** By the app's name: some are quick, some are slow. */
  serviceMs(appId: AppId): number {
    const usual = [200, 2_000, 15_000][appId.length % 3]!
    return -Math.log(1 - this.chance.next()) * usual
  }

  /** A request of the queue, as the gateway takes it in. */
  async submit(appId: AppId): Promise<void> {
    const server = this.server
    if (server === undefined || server.isDraining) return
    const id = `request-${(this.#requests += 1)}`
    const forbidden = this.chance.next() < 0.1
    const request: NewRequest = {
      id,
      appId,
      priority: this.chance.next() < 0.2 ? 'low' : 'normal',
      acceptedAt: this.time.now(),
      retry: { forbidden, budgets: {} },
      payload: { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'caller' },
    }
    this.counts.queued += 1
    await accept({ ...server, clock: this.time, accepting: () => true }, request)
    this.acknowledged.set(id, forbidden ? 1 : 10)
  }

  /** A direct call, as the gateway makes it. */
  async call(appId: AppId): Promise<void> {
    const server = this.server
    const known = server?.apps.byId(appId)
    if (server === undefined || known === undefined || server.isDraining) return
    const patience = new AbortController()
    const stop = this.time.after(known.app.scale.startup_timeout * 1_000 + 60_000, () =>
      patience.abort(new Error('no runner in time')),
    )
    const home = server.homes.of(appId)
    this.counts.direct += 1
    using slot = await home.acquire(`direct-${(this.#requests += 1)}`, patience.signal).finally(stop)
    const timeoutMs = known.app.scale.request_timeout * 1_000
    const goesOn = await (slot.thaw?.() ?? Promise.resolve()).then(
      () => true,
      () => false,
    )
    const end = goesOn
      ? await this.machines.call(slot.address.port, '', timeoutMs, (id) => this.serviceMs(id))
      : ({ kind: 'connection_error' } as const)
    if (end.kind === 'answered') this.counts.served += 1
    this.#judge(end.kind === 'answered' ? { kind: 'answered', status: end.status } : end, slot.runnerId, server, appId)
  }

  #judge(end: Parameters<typeof runnerVerdict>[0], id: RunnerId, server: Server, appId: AppId): void {
    const verdict = runnerVerdict(end)
    if (verdict.kind === 'keep' || server !== this.server) return
    if (verdict.kind === 'terminate') server.homes.of(appId).retire(id)
    server.scheduler.verdict(id, verdict.kind, verdict.reason)
  }

  #reported(fields: object, message: string): void {
    const error = 'err' in fields ? fields.err : undefined
    this.note(`${message}: ${String(error)}`)
    // What the faults of this world explain is no mistake of the platform.
    if (this.machines.faults === noFaults && !this.memory.isFull) this.break(`${message}: ${String(error)}`)
  }
}
