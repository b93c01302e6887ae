import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { chmodSync, mkdirSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compiledVariable } from './compiled.ts'
import { beginAsPrepared, sharedSettings } from './one-for-all.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const bin = join(root, 'packages', 'cli', 'bin', 'carrick.js')
const cache = realpathSync(mkdirSync(join(root, '.cache'), { recursive: true }) ?? join(root, '.cache'))
const patienceMs = 240_000

/** Where the runners of all servers are: `CARRICK_TEST_BACKEND=docker` has every test run with containers. */
export const backend = process.env['CARRICK_TEST_BACKEND'] ?? 'process'

/** Why a test does not hold with containers, for `test.skipIf(onDocker)` and the test's name. */
export const onDocker = backend === 'docker'

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What `ask` sends. */
export interface Question extends Omit<RequestInit, 'headers'> {
  readonly key?: string | null
  readonly headers?: Record<string, string>
}

/** A real server in a process of its own, with a data folder of its own, and the official tools pointed at it. */
export class Carrick implements AsyncDisposable {
  readonly folder: string
  variables: Record<string, string> = {}
  /** What `fal …` is begun by, such as a program that has it give way to others. */
  begunBy: readonly string[] = []
  readonly #settings: Record<string, string>
  readonly #serverBegunBy: readonly string[]
  #process: ChildProcess | undefined
  #port = 0

  private constructor(folder: string, settings: Record<string, string>, serverBegunBy: readonly string[]) {
    this.folder = folder
    this.#settings = settings
    this.#serverBegunBy = serverBegunBy
  }

  /** `parent` is where the data folder goes. */
  static async start(settings: Record<string, string> = {}, parent = tmpdir()): Promise<Carrick> {
    return Carrick.startIn(await mkdtemp(join(parent, 'carrick-e2e-')), settings)
  }

  /**
   * The same with a data folder that is there, such as one with a `carrick.toml`. It goes with the server, which may be begun by another
   * program, such as one that becomes another user.
   */
  static async startIn(
    folder: string,
    settings: Record<string, string> = {},
    begunBy: readonly string[] = [],
  ): Promise<Carrick> {
    const carrick = new Carrick(folder, settings, begunBy)
    const isOfAll = settings['CARRICK_OWNER'] === undefined // an owner of its own is in no folder that is prepared
    if (carrick.#backend === 'docker' && isOfAll) await beginAsPrepared(folder)
    await carrick.up()
    return carrick
  }

  /** Starts the server again, on the port it had. */
  async up(...flags: string[]): Promise<void> {
    const owner = this.#settings['CARRICK_OWNER'] ?? 'tester'
    const args = [bin, 'up', ...flags, '--port', String(this.#port), '--data', this.folder, '--owner', owner]
    const [program = '', ...all] = [...this.#serverBegunBy, process.execPath, ...args]
    this.#process = spawn(program, all, { env: this.#environment(), stdio: ['ignore', 'pipe', 'inherit'] })
    let isReady = false
    for await (const line of createInterface({ input: this.#process.stdout! })) {
      isReady = line.startsWith('Carrick is ready')
      if (isReady) break
    }
    if (!isReady) throw new Error('the server ended before it was ready; why stands on stderr')
    const { stdout } = await this.carrick('env', '--json')
    this.variables = JSON.parse(stdout) as Record<string, string>
    this.#port = Number(new URL(this.url).port)
  }

  get url(): string {
    return this.variables['CARRICK_URL'] ?? ''
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Ends the server with a signal, waits until it is gone, and answers its exit code; null for one that was killed. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const server = this.#process
    if (server === undefined) return null
    if (server.exitCode === null && server.signalCode === null) {
      server.kill(signal)
      await once(server, 'exit')
    }
    return server.exitCode
  }

  /** Runs `carrick …`. */
  carrick(...args: string[]): Promise<Ended> {
    return this.carrickWith({}, ...args)
  }

  /** A folder that apps see too, unless a test sets CARRICK_SHARED_FOLDERS: of the data folder they see nothing. */
  get shared(): string {
    const folder = `${this.folder}-shared`
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o777) // runners in containers are not who we are
    return folder
  }

  /** Runs `carrick …` with some settings that are not this server's. */
  carrickWith(settings: Record<string, string>, ...args: string[]): Promise<Ended> {
    return this.#run(process.execPath, [bin, ...args], settings)
  }

  /** Runs the stock `fal …`. */
  fal(...args: string[]): Promise<Ended> {
    return this.falWith({}, ...args)
  }

  /** Runs the stock `fal …` with some variables that are not this server's. */
  async falWith(variables: Record<string, string>, ...args: string[]): Promise<Ended> {
    const [program, ...before] = [...this.begunBy, join(await clients(), 'bin', 'fal')]
    return this.#run(program, [...before, ...args], variables)
  }

  /** Runs the stock `fal …` with this on its standard input, which then ends. What it prints may be any bytes. */
  async falFed(input: Uint8Array, ...args: string[]): Promise<{ code: number; stdout: Buffer; stderr: string }> {
    const program = join(await clients(), 'bin', 'fal')
    const options = { cwd: root, env: this.#environment(), timeout: patienceMs, maxBuffer: 256 * 1024 * 1024 }
    return new Promise((resolve) => {
      const child = execFile(program, args, { ...options, encoding: 'buffer' }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? 1, stdout, stderr: stderr.toString() }),
      )
      child.stdin?.on('error', () => {}) // it need not read all
      child.stdin?.end(input)
    })
  }

  /** Runs the stock `fal …` in a folder, with some variables of its own, and something to read from its standard input. */
  async falIn(
    folder: string,
    args: readonly string[],
    variables: Record<string, string> = {},
    input = '',
  ): Promise<Ended> {
    return this.#run(join(await clients(), 'bin', 'fal'), args, variables, { cwd: folder, input })
  }

  /** Asks the server over plain HTTP/1.1, with its own key unless there is another, or null for none. */
  ask(
    path: string,
    { key = this.variables['FAL_KEY'] ?? '', headers = {}, ...init }: Question = {},
  ): Promise<Response> {
    const credentials = key === null ? {} : { authorization: `Key ${key}` }
    return fetch(this.url.replace('https:', 'http:') + path, { ...init, headers: { ...credentials, ...headers } })
  }

  /** Asks over HTTP by a name that may be one that only containers know: it leads to this machine. */
  async askAsRunner(url: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Response> {
    const { host, port, pathname } = new URL(url)
    const options = { host: '127.0.0.1', port, path: pathname, method, headers: { ...headers, host } }
    const [answer] = (await once(request(options).end(body), 'response')) as [IncomingMessage]
    const told = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
    return new Response(await text(answer), { status: answer.statusCode ?? 0, headers: told })
  }

  /** Stores something, and answers the address at which everybody may read it, builds in containers too. */
  async upload(name: string, content: Uint8Array): Promise<string> {
    const started = await this.ask('/storage/upload/initiate', {
      method: 'POST',
      body: JSON.stringify({ file_name: name }),
    })
    const told = (await started.json()) as { file_url: string; upload_url: string }
    const { status } = await fetch(told.upload_url, { method: 'PUT', body: content })
    if (status !== 200) throw new Error(`the upload of ${name} was answered with ${status}`)
    return told.file_url
  }

  /** Runs a line of shell, as somebody types it who copied it. */
  shell(line: string): Promise<Ended> {
    return this.#run('sh', ['-c', line])
  }

  /** Runs a Python program beside the official client; what it prints is JSON. */
  python<T>(program: string, ...args: string[]): Promise<T> {
    return this.#python('-c', program, ...args)
  }

  /** The same of a file in `test/e2e/clients`. */
  pythonFile<T>(file: string, ...args: string[]): Promise<T> {
    return this.#python(join(root, 'test/e2e/clients', file), ...args)
  }

  async #python<T>(...args: string[]): Promise<T> {
    return this.#json(join(await clients(), 'bin', 'python'), args)
  }

  /** Runs a file in `test/e2e/clients` by Node; the last line that it prints is JSON. It has gone when this ends. */
  javascriptFile<T>(file: string, ...args: string[]): Promise<T> {
    return this.#json(process.execPath, [join(root, 'test/e2e/clients', file), ...args])
  }

  /** The same of a program's text. */
  javascript<T>(program: string, ...args: string[]): Promise<T> {
    return this.#json(process.execPath, ['--input-type=module', '-e', program, ...args])
  }

  async #json<T>(program: string, args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.#run(program, args)
    if (code !== 0) throw new Error(`${basename(program)} ended with ${code}:\n${stdout}\n${stderr}`)
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T
  }

  /** Deploys a file of `test/e2e/apps` and answers the revision. Throws what the tool said when it fails. */
  async deploy(file: string, name: string, ...flags: string[]): Promise<string> {
    const ended = await this.fal(
      'deploy',
      join('test/e2e/apps', file),
      '--app-name',
      name,
      '--output',
      'json',
      ...flags,
    )
    if (ended.code !== 0) throw new Error(`fal deploy ended with ${ended.code}:\n${ended.stdout}\n${ended.stderr}`)
    return (JSON.parse(ended.stdout.slice(ended.stdout.indexOf('{'))) as { revision: string }).revision
  }

  async status(): Promise<{ apps: number; runners: number; queued: number; running: number; paused: string[] }> {
    return JSON.parse((await this.carrick('status', '--json')).stdout) as never
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
    if (this.#backend === 'docker') await this.#clearEngine()
    await rm(this.folder, { recursive: true, force: true })
    await rm(`${this.folder}-shared`, { recursive: true, force: true })
  }

  async #clearEngine(): Promise<void> {
    const { clearEngine } = await import('./engine-leftovers.ts')
    await clearEngine(join(this.folder, 'carrick.sqlite'), this.#port)
  }

  get #backend(): string {
    return this.#settings['CARRICK_BACKEND'] ?? backend
  }

  #environment(): NodeJS.ProcessEnv {
    // The stock tools wrap what they print, JSON too, at the width of the terminal.
    return {
      ...process.env,
      COLUMNS: '2000',
      CARRICK_DATA: this.folder,
      // Tests open gates for their apps, and read what these noted, by files. A container's /tmp is its own.
      CARRICK_SHARED_FOLDERS: [...(this.#backend === 'docker' ? [] : [tmpdir()]), this.shared].join(','),
      CARRICK_CACHE: cache,
      ...compileCache(),
      CARRICK_BACKEND: this.#backend,
      ...(this.#backend === 'docker' ? sharedSettings() : {}),
      ...clientPython(),
      ...this.#settings,
      ...this.variables,
    }
  }

  #run(
    program: string,
    args: readonly string[],
    variables: Record<string, string> = {},
    { cwd = root, input }: { cwd?: string; input?: string } = {},
  ): Promise<Ended> {
    return new Promise((resolve) => {
      const env = { ...this.#environment(), ...variables }
      const options = { cwd, env, timeout: patienceMs, maxBuffer: 256 * 1024 * 1024 }
      const child = execFile(program, args, options, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? 1, stdout, stderr }),
      )
      if (input !== undefined) child.stdin?.on('error', () => {}).end(input) // it may end without reading
    })
  }
}

/** Where Node finds what it compiled for another server of this run. */
function compileCache(): Record<string, string> {
  const folder = process.env[compiledVariable]
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}

let pythonOfImages: string | undefined

/** Pickled code needs the Python that it came from, and the base image of the tests has the machine's own alone. */
export function clientPython(): Record<string, string> {
  const given = process.env['CARRICK_CLIENT_PYTHON']
  if (given !== undefined) return { CARRICK_CLIENT_PYTHON: given }
  if (!onDocker) return {}
  const program = 'import sys; print("%d.%d" % sys.version_info[:2])'
  pythonOfImages ??= execFileSync('python3', ['-c', program], { encoding: 'utf8' }).trim()
  return { CARRICK_CLIENT_PYTHON: pythonOfImages }
}

let environment: Promise<string> | undefined

/** The folder of the environment with the official Python tools, built once. */
export function clients(): Promise<string> {
  Object.assign(process.env, { CARRICK_CACHE: cache, ...clientPython() })
  environment ??= import('../../packages/cli/src/client-environment.ts').then((module) =>
    module.clientEnvironment(() => {}),
  )
  return environment
}

/** Resolves when `holds` does; throws after a generous while. */
export async function until(holds: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const giveUp = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > giveUp) throw new Error(`waited in vain for: ${what}`)
    await new Promise((wake) => setTimeout(wake, 100))
  }
}
