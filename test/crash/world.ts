import { sendSignal } from '../../packages/server/src/backends/process/signals.ts'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { promisify } from 'node:util'
import { clients, root } from '../e2e/carrick.ts'
import type { Answer, Evidence, LedgerLine } from './history.ts'
import { Clients } from './clients.ts'
import { isGrowing } from './growing.ts'
import { runnerProcesses } from './processes.ts'
import { Receiver } from './receiver.ts'
import { Records } from './records.ts'
import { CrashServer } from './server.ts'
import { Shim } from './shim.ts'

const runnersAllowed = 2
const multiplexing = 2
const clientProcesses = 3
const callersEach = 4
const app = 'ledger'
const settlingMs = 60_000
const deployer = new URL('./ledger_app.py', import.meta.url).pathname
const cache = join(root, '.cache')
const sources = join(root, 'packages', 'cli', 'src', 'main.ts')

/** One installation under attack: its server, its app, the clients, and what they wrote down. Used for many rounds. */
export class World implements AsyncDisposable {
  readonly folder: string
  readonly server: CrashServer
  readonly shim: Shim | undefined
  readonly #ownFolder: string
  readonly #receiver: Receiver
  #key = ''
  #ledger = ''
  #clients: Clients | undefined
  #firstSeq = 0
  #survivors: string[] = []

  private constructor(ownFolder: string, folder: string, server: CrashServer, receiver: Receiver, shim?: Shim) {
    this.#ownFolder = ownFolder
    this.#receiver = receiver
    this.folder = folder
    this.server = server
    this.shim = shim
  }

  /**
   * Starts a server on a new folder and deploys the app. `program` is the server's, from its sources unless it is bundled; `disk`
   * is where the data goes, when it has to be elsewhere.
   */
  static async make({ program = sources, disk }: { program?: string; disk?: string | undefined } = {}): Promise<World> {
    const own = await mkdtemp(join(tmpdir(), 'carrick-crash-'))
    const folder = join(disk ?? own, 'data')
    await mkdir(folder)
    const shim = Shim.compileInto(own)
    const settings = {
      CARRICK_CACHE: cache,
      CARRICK_SHARED_FOLDERS: tmpdir(), // the app's ledger is there
      CARRICK_LOG_LEVEL: 'error',
      CARRICK_SHUTDOWN_MS: '400',
      CARRICK_WEBHOOK_ALLOW: '127.0.0.0/8',
      NODE_COMPILE_CACHE: join(own, 'compiled'),
      ...shim?.variables,
    }
    const world = new World(own, folder, new CrashServer(program, folder, settings), await Receiver.open(), shim)
    await world.up()
    const { key_id, key_secret } = JSON.parse(await readFile(join(folder, 'credentials.json'), 'utf8')) as Credentials
    world.#key = `${key_id}:${key_secret}`
    await world.#deploy(settings)
    await world.#leaveCompiledCode()
    return world
  }

  get ledgerFile(): string {
    return this.#ledger
  }

  get clients(): Clients {
    if (this.#clients === undefined) throw new Error('no batch has begun')
    return this.#clients
  }

  /** Starts the server, and looks whether runners of the former one are left when it says that it is ready. */
  async up(variables: Record<string, string> = {}): Promise<boolean> {
    const before = new Set((await runnerProcesses(this.folder)).map(({ pid }) => pid))
    const isReady = await this.server.up(variables)
    if (!isReady || before.size === 0) return isReady
    const left = (await runnerProcesses(this.folder)).filter(({ pid }) => before.has(pid))
    this.#survivors.push(...left.map(({ runner }) => runner))
    return isReady
  }

  /** Whether it is up, once it was started where it was not. */
  async stands(): Promise<boolean> {
    return this.server.isUp || (await this.up())
  }

  /** New clients, a new ledger. */
  async begin(seed: string, { streamed }: { streamed: boolean }): Promise<void> {
    await this.stands()
    this.#survivors = []
    this.#receiver.deliveries.length = 0
    this.#ledger = join(this.#ownFolder, `ledger-${performance.now()}`)
    this.#firstSeq = this.#records((records) => records.newest())
    const order = {
      seed,
      base: this.#base,
      key: this.#key,
      ledger: this.#ledger,
      receiver: this.#receiver.url,
      callers: callersEach,
      streamed,
    }
    this.#clients = new Clients(Array.from({ length: clientProcesses }, (_, client) => ({ ...order, client })))
  }

  /** Lets everything come to rest, and answers all that is known then. */
  async finish(restMs: number): Promise<Evidence> {
    if (!(await this.stands())) throw new Error(`the server does not start:\n${this.server.said}`)
    await this.clients.stop()
    const history = this.clients.history
    await this.#comesToRest(restMs)
    const rows = this.#records((records) => records.requestsAfter(this.#firstSeq))
    const answers = await this.#answers(rows.map(({ id }) => id))
    const ledger = await this.ledger()
    const runners = { survivors: this.#survivors, ...(await this.#unmatched(30_000)) }
    await rm(this.#ledger, { force: true })
    const deliveries = [...this.#receiver.deliveries]
    return { clients: history, ledger, rows, deliveries, answers, mostRunning: runnersAllowed * multiplexing, runners }
  }

  async ledger(): Promise<readonly LedgerLine[]> {
    const text = await readFile(this.#ledger, 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LedgerLine)
  }

  /** Asks the server as a client does; undefined when it does not answer. */
  async ask(path: string, init: RequestInit = {}): Promise<Answer | undefined> {
    try {
      const headers = { authorization: `Key ${this.#key}`, ...(init.headers as Record<string, string>) }
      const answer = await fetch(this.#base + path, { ...init, headers, signal: AbortSignal.timeout(10_000) })
      return { status: answer.status, text: await answer.text() }
    } catch {
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#clients?.kill()
    await this.server.down()
    this.#receiver.close()
    for (const { pid } of await runnerProcesses(this.folder)) sendSignal(pid, 'SIGKILL') // with the first of a runner all go
    await rm(this.#ownFolder, { recursive: true, force: true })
  }

  get #base(): string {
    return `http://127.0.0.1:${this.server.port}/queue/tester/${app}`
  }

  async #deploy(settings: Record<string, string>): Promise<void> {
    const carrick = join(root, 'packages', 'cli', 'bin', 'carrick.js')
    const env = { ...process.env, ...settings, LD_PRELOAD: '', CARRICK_DATA: this.folder }
    const { stdout } = await promisify(execFile)(process.execPath, [carrick, 'env', '--json'], { env })
    const variables = JSON.parse(stdout) as Record<string, string>
    const python = join(await clients(), 'bin', 'python')
    await promisify(execFile)(python, [deployer, app, String(runnersAllowed), String(multiplexing)], {
      env: { ...env, ...variables },
    })
  }

  /** A node that ends by itself leaves the code that it compiled until then. Requests come first: theirs is needed at each start. */
  async #leaveCompiledCode(): Promise<void> {
    await this.begin('compiled', { streamed: false })
    await isGrowing(this.#ledger)
    await this.finish(settlingMs)
    await this.server.down('SIGTERM')
  }

  async #comesToRest(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs
    while (performance.now() < until && this.#records((records) => records.unfinished() + records.undelivered()) > 0)
      await rest(50)
  }

  async #answers(ids: readonly string[]): Promise<ReadonlyMap<string, Answer>> {
    const answers = new Map<string, Answer>()
    const left = ids.values()
    const fetchThem = async () => {
      for (const id of left) {
        const answer = (await this.ask(`/requests/${id}`)) ?? (await this.ask(`/requests/${id}`)) // machines are noisy
        if (answer) answers.set(id, answer)
      }
    }
    await Promise.all(Array.from({ length: 16 }, fetchThem))
    return answers
  }

  /** Processes without a record and records without a process that stay so for longer than some scheduler passes. */
  async #unmatched(withinMs: number): Promise<{ unrecorded: readonly string[]; missing: readonly string[] }> {
    const until = performance.now() + withinMs
    for (;;) {
      const running = new Set((await runnerProcesses(this.folder)).map(({ runner }) => runner))
      const recorded = new Set(this.#records((records) => records.liveRunners()))
      const unrecorded = [...running].filter((id) => !recorded.has(id))
      const missing = [...recorded].filter((id) => !running.has(id))
      if (unrecorded.length + missing.length === 0 || performance.now() > until) return { unrecorded, missing }
      await rest(100)
    }
  }

  #records<T>(look: (records: Records) => T): T {
    const records = new Records(join(this.folder, 'carrick.sqlite'))
    try {
      return look(records)
    } finally {
      records.close()
    }
  }
}

interface Credentials {
  readonly key_id: string
  readonly key_secret: string
}
