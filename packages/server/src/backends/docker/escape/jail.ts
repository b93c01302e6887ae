import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { Address, Sighting } from '../../../domain/runner.ts'
import { silent } from '../../../kit/logger.ts'
import type { RunnerBackend, RunnerSpec } from '../../backend.ts'
import { openEngine, type Engine } from '../engine/engine.ts'
import { createDockerBackend } from '../index.ts'
import { testImage } from '../testing.ts'
import { cell, tools } from './cell.ts'

const never = new AbortController().signal
const { kind: engineKind, isRootless } = (await openEngine()).facts
const isPodman = engineKind === 'podman'

/** What differs by the machine's engine. */
export { isPodman, isRootless }
export const patience = { timeout: 60_000, interval: 50 }
export const ingressName = 'carrick.internal'
/** Something that only the server knows. */
export const secret = `secret-${randomUUID()}`

/** The machine's own addresses now. */
export const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.flatMap(({ address, scopeid }) => (scopeid ? [] : address)),
  )

/** By what containers are made. */
export interface Confined {
  /** As the engine knows it; absent: its own, whose containers are processes of the machine's kernel. */
  readonly runtime?: 'runsc'
  /** Most processes and threads of one runner, the runtime's own among them. */
  readonly tasks: number
}

interface Inhabited {
  readonly id: string
  readonly address: Address
  /** Its own address in its network. */
  readonly inside: string
}

/**
 * A platform whose runners try to leave it: one tenant with two neighbours, one of its own account and one of another, each in a
 * container as the backend makes them; the control port on every address of the machine, as an operator may have it; the ingress.
 */
export class Jail implements AsyncDisposable {
  readonly runtime: Confined['runtime']
  readonly tasks: number
  /** What each runner has said. */
  readonly said = new Map<string, string[]>()
  /** Addresses that the machine had before the backend was made. */
  readonly atStart = ownAddresses()
  engine!: Engine
  folder!: string
  backend!: RunnerBackend
  control!: Server
  ingressPort!: number
  tenant!: Inhabited
  sibling!: Inhabited
  stranger!: Inhabited
  /** What the ingress is reached by from inside. */
  gateway!: string
  #ingress: Server | undefined

  constructor({ runtime, tasks }: Confined) {
    this.runtime = runtime
    this.tasks = tasks
  }

  async open(): Promise<void> {
    process.env['CARRICK_TEST_SECRET'] = secret
    this.engine = await openEngine()
    await this.#makeFiles()
    this.control = await serving('the control port', '0.0.0.0')
    this.#ingress = await serving('the ingress', '127.0.0.1')
    this.ingressPort = (this.#ingress.address() as AddressInfo).port
    this.backend = await this.#makeBackend()
    this.backend.onOutput(({ runnerId, text }) => this.said.set(runnerId, [...(this.said.get(runnerId) ?? []), text]))
    this.tenant = await this.inhabit({
      sees: [join(this.folder, 'blob')],
      leaves: [join(this.folder, 'leaves/one')],
      mounts: [{ from: join(this.folder, 'data/account'), to: '/data', readOnly: false }],
    })
    this.sibling = await this.inhabit({ appId: 'another' })
    this.stranger = await this.inhabit({ accountId: 'stranger', appId: 'a third' })
    this.gateway = await this.attempt(`print(socket.gethostbyname('${ingressName}'))`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backend?.close()
    for (const server of [this.control, this.#ingress]) server?.close()
    await rm(this.folder, { recursive: true, force: true })
    delete process.env['CARRICK_TEST_SECRET']
  }

  /** Starts a runner and waits until it serves. */
  async inhabit(more: Partial<RunnerSpec> = {}): Promise<Inhabited> {
    const made = this.#spec(more)
    await this.backend.start(made, never)
    const { address } = await this.sighted(made.id, 'accepting')
    const { NetworkSettings } = await this.engine.docker.getContainer(`carrick-${made.id}`).inspect()
    const inside = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
    return { id: made.id, address, inside }
  }

  /** A runner as it is seen, once it is seen as that. */
  sighted<Kind extends Sighting['kind']>(id: string, kind: Kind): Promise<Extract<Sighting, { kind: Kind }>> {
    return vi.waitFor(async () => {
      const seen = (await this.backend.list(never)).get(id)
      if (seen?.kind !== kind) throw new Error(`it is ${seen?.kind}: ${this.said.get(id)?.join('\n')}`)
      return seen as Extract<Sighting, { kind: Kind }>
    }, patience)
  }

  /** What the code printed that ran in there. */
  readonly tell = async ({ address: { host, port } }: Inhabited, code: string): Promise<string> => {
    const body = `${tools}\n${code}`
    return (await (await fetch(`http://${host}:${port}/`, { method: 'POST', body })).text()).trim()
  }

  /** The same of the tenant. */
  readonly attempt = (code: string): Promise<string> => this.tell(this.tenant, code)

  /** What is said inside where the machine's kernel is asked there, else what the machine says of the kernel that is. */
  ofKernel(inside: string, outside: string): string {
    return this.runtime === undefined ? inside : outside
  }

  async kernelsOwn(): Promise<string> {
    const { State } = await this.engine.docker.getContainer(`carrick-${this.tenant.id}`).inspect()
    return readFile(`/proc/${State.Pid}/status`, 'utf8')
  }

  /** Why runners have not this part of confinement, or not as well as they could. */
  lacks(part: string): string | undefined {
    return this.backend.confinement.find((each) => each.part === part)?.why
  }

  async #makeFiles(): Promise<void> {
    const folder = (this.folder = await mkdtemp(join(tmpdir(), 'carrick-escape-')))
    for (const name of ['data/account', 'data/stranger', 'leaves/one', 'shared'])
      await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, 'secret.key'), secret)
    await writeFile(join(folder, 'blob'), 'its code', { mode: 0o600 })
    await writeFile(join(folder, 'data/account/theirs'), 'written by the server')
    await writeFile(join(folder, 'data/stranger/theirs'), secret)
  }

  #makeBackend(): Promise<RunnerBackend> {
    const { engine, folder, ingressPort, tasks } = this
    return createDockerBackend({
      engine,
      folder: join(folder, 'runners'),
      installation: randomUUID(),
      log: silent,
      ingress: {
        name: ingressName,
        port: ingressPort,
        insteadOf: { port: 8_700, names: ['localhost', 'carrick.example.com'] },
        async listenAt(host, through) {
          const also = answering('the ingress').listen(through ?? { port: ingressPort, host })
          await once(also, 'listening')
          return { [Symbol.asyncDispose]: async () => void also.close() }
        },
      },
      walls: {
        runtimes: ['runsc'],
        tasks,
        scratchBytes: 32 * 2 ** 20,
        shared: [join(folder, 'shared'), join(folder, 'nowhere')],
      },
    })
  }

  #spec(more: Partial<RunnerSpec>): RunnerSpec {
    return {
      id: randomUUID(),
      appId: 'app',
      revisionId: 'revision',
      accountId: 'account',
      command: ['python3', '-c', cell],
      image: { reference: testImage },
      ...(this.runtime === undefined ? {} : { runtime: this.runtime }),
      variables: {},
      limits: { cpus: 1, memoryBytes: 256 * 2 ** 20, gpus: [], machineType: 'XS' },
      mounts: [],
      ...more,
    }
  }
}

function answering(word: string): Server {
  return createServer((_: IncomingMessage, res) => void res.end(word))
}

async function serving(word: string, host: string): Promise<Server> {
  const server = answering(word).listen(0, host)
  await once(server, 'listening')
  return server
}
