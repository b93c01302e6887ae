import type { Hardware } from '../../packages/server/src/domain/hardware.ts'
import type { KnownApp } from '../../packages/server/src/home/apps.ts'
import { runnerVerdict } from '../../packages/server/src/domain/retry.ts'
import type { AppId, RequestId, RunnerId } from '../../packages/server/src/domain/ids.ts'
import type { NewRequest } from '../../packages/server/src/domain/request.ts'
import { accept } from '../../packages/server/src/home/accept.ts'
import type { Logger } from '../../packages/server/src/kit/logger.ts'
import { testHardware } from '../../packages/server/src/testing/hardware.ts'
import { chanceOf, type Chance } from '../crash/chance.ts'
import { Machines, noFaults, type Faults } from './machines.ts'
import { MemoryStore } from './memory-store.ts'
import { startServer, type Server } from './server.ts'
import { VirtualTime } from './virtual-time.ts'

const eventsKept = 60

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
  readonly counts = { queued: 0, direct: 0, served: 0, crashes: 0 }
  server: Server | undefined
  #requests = 0

  constructor(seed: string, faults: Faults) {
    this.chance = chanceOf(seed)
    this.machines = new Machines(this.time, this.chance, faults)
    this.memory = new MemoryStore(this.time, this.chance)
    this.hardware = testHardware({}, { runnersPerMachine: this.chance.next() < 0.5 ? 12 : 1_000 })
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
    if (server === undefined) return
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
    if (server === undefined || known === undefined) return
    const patience = new AbortController()
    const stop = this.time.after(known.app.scale.startup_timeout * 1_000 + 60_000, () =>
      patience.abort(new Error('no runner in time')),
    )
    const home = server.homes.of(appId)
    this.counts.direct += 1
    using slot = await home.acquire(`direct-${(this.#requests += 1)}`, patience.signal).finally(stop)
    const timeoutMs = known.app.scale.request_timeout * 1_000
    const end = await this.machines.call(slot.address.port, '', timeoutMs, (id) => this.serviceMs(id))
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
