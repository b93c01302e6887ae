/** An engine for one test, which may stop it: beside the others of this machine. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ownBridge, type EngineBridge } from './bridge.ts'
import { openEngine, type Engine } from './engine.ts'

const execute = promisify(execFile)
const daemon = '/usr/sbin/dockerd'
const patienceMs = 60_000

export class OwnEngine implements AsyncDisposable {
  readonly #folder: string
  readonly #bridge: EngineBridge
  #daemon: ChildProcess | undefined

  constructor(folder: string, bridge: EngineBridge) {
    this.#folder = folder
    this.#bridge = bridge
  }

  /** Resolves when it answers, with an image by this name in which Node runs, and nothing else. */
  static async start(image: string): Promise<OwnEngine> {
    const own = new OwnEngine(await mkdtemp(join(tmpdir(), 'ce-')), await ownBridge()) // a socket's path is short
    await own.begin()
    await importNode(await own.open(), image)
    return own
  }

  get host(): string {
    return `unix://${this.#in('docker.sock')}`
  }

  open(): Promise<Engine> {
    return openEngine({ DOCKER_HOST: this.host })
  }

  /** Starts it unless it runs. */
  async begin(): Promise<void> {
    if (this.#daemon?.exitCode === null && this.#daemon.signalCode === null) return
    const places = ['--data-root', this.#in('data'), '--exec-root', this.#in('exec'), '--pidfile', this.#in('pid')]
    this.#daemon = spawn(daemon, ['--host', this.host, ...places, ...this.#bridge.options], { stdio: 'ignore' })
    for (const until = Date.now() + patienceMs; ; await new Promise((wake) => setTimeout(wake, 50))) {
      const answers = await this.open().catch((error: unknown) => error)
      if (!(answers instanceof Error)) return
      if (Date.now() > until || this.#daemon.exitCode !== null) throw answers
    }
  }

  /** As an operator does it (SIGTERM), or as the machine does (SIGKILL). */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#daemon?.exitCode !== null || this.#daemon.signalCode !== null) return
    const ended = once(this.#daemon, 'exit')
    this.#daemon.kill(signal)
    await ended
    if (signal === 'SIGTERM') return
    // What of it went along is a zombie where nobody reaps, and would be taken for one that runs.
    for (const file of ['pid', 'exec/containerd/containerd.pid']) await rm(this.#in(file), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    const containerd = Number(await readFile(this.#in('exec/containerd/containerd.pid'), 'utf8').catch(() => '0'))
    if (containerd > 1) process.kill(containerd)
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '')
    for (const mount of mounts.filter((path) => path.startsWith(`${this.#folder}/`)).toReversed())
      await execute('umount', ['--lazy', mount]).catch(() => {})
    await this.#bridge[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  #in(name: string): string {
    return join(this.#folder, name)
  }
}

/** Where it is in that image. */
export const nodeInside = '/usr/local/bin/node'

/** What this machine's Node needs of this machine, as `ldd` tells it, and nothing besides. */
async function importNode({ docker }: Engine, image: string): Promise<void> {
  const { stdout } = await execute('ldd', [process.execPath])
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? '')
  const packed = spawn(
    'tar',
    ['-chP', '--transform', `s|^${process.execPath}$|${nodeInside}|`, ...libraries, process.execPath],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [name, tag] = image.split(':')
  const taken = await docker.importImage(packed.stdout, { repo: name, tag })
  for await (const _ of taken);
}
