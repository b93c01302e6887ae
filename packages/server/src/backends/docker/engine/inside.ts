import { type ChildProcess, execFile, fork } from 'node:child_process'
import { Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findPython } from '../../process/start/launcher.ts'
import { routesOf } from '../network/taken.ts'

const helper = fileURLToPath(new URL('../../../../../../runners/python/carrick_inside', import.meta.url))
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
const limitMs = 20_000

/**
 * Where an engine is that an ordinary user runs: in a network of its own, whose bridges the machine does not see, and whose loopback is
 * another one. Its user may enter it (`carrick_inside`).
 */
export interface EngineInside {
  /** What a program is begun by that is to run there. */
  readonly begin: readonly string[]
  /** Addresses there that lead to the machine. */
  readonly machine: readonly string[]
  /** The servers that are asked for names there. */
  readonly resolvers: readonly string[]
  /** Listens there. To be passed on to a server's `listen`. Rejects with the kernel's name of what went wrong. */
  listen(host: string, port: number): Promise<Server>
  close(): void
}

/** Throws half a sentence where this server may not enter it. */
export async function enterEngine(host: string): Promise<EngineInside> {
  if (!host.startsWith('unix://')) throw new Error(`it is reached by ${host}, not by a socket of this machine`)
  const python = await findPython('/usr/local/bin:/usr/bin:/bin')
  if (python === undefined) throw new Error('there is no python3 (3.9 or newer) by which to enter its namespaces')
  const socket = host.slice('unix://'.length)
  const begin = [python, '-I', helper, socket]
  const [routes, names] = await Promise.all([said(begin, '/proc/net/route'), said(begin, '/etc/resolv.conf')])
  const listeners = new Listeners(python, socket)
  return {
    begin,
    machine: routesOf(routes).flatMap(({ gateway }) => gateway ?? []),
    resolvers: [...names.matchAll(/^\s*nameserver\s+([\d.]+)\s*$/gm)].map(([, address = '']) => address),
    listen: (at, port) => listeners.listen(at, port),
    close: () => listeners.close(),
  }
}

async function said([program = '', ...args]: readonly string[], file: string): Promise<string> {
  const options = { env: environment, timeout: limitMs }
  const asked = promisify(execFile)(program, [...args, 'cat', file], options)
  const { stdout } = await asked.catch((error: { stderr?: string; message: string }) => {
    throw new Error(error.stderr?.trim().split('\n').at(-1) || error.message)
  })
  return stdout
}

interface Waiting {
  readonly resolve: (server: Server) => void
  readonly reject: (error: Error) => void
}

/** Asks one child for all that is to listen there; it ends with the server. */
class Listeners {
  readonly #python: string
  readonly #socket: string
  readonly #waiting = new Map<number, Waiting>()
  #next = 0
  #child: ChildProcess | undefined

  constructor(python: string, socket: string) {
    this.#python = python
    this.#socket = socket
  }

  async listen(host: string, port: number): Promise<Server> {
    const child = (this.#child ??= this.#start())
    const id = (this.#next += 1)
    const late = setTimeout(() => this.#take(id)?.reject(new Error('ETIMEDOUT')), limitMs)
    try {
      return await new Promise<Server>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject })
        child.send({ id, host, port }, (error) => error && this.#take(id)?.reject(error))
      })
    } finally {
      clearTimeout(late)
    }
  }

  close(): void {
    this.#child?.kill('SIGKILL')
  }

  #start(): ChildProcess {
    const child = fork(helper, [this.#socket], {
      execPath: this.#python,
      execArgv: ['-I'],
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const lost = (error: Error) => {
      if (this.#child === child) this.#child = undefined
      for (const id of this.#waiting.keys()) this.#take(id)?.reject(error)
    }
    child.on('message', ({ id, error }: { id: number; error?: string }, server) => {
      const waiting = this.#take(id)
      if (server instanceof Server && waiting !== undefined) waiting.resolve(server)
      else if (server instanceof Server) server.close()
      else waiting?.reject(new Error(error ?? 'EIO'))
    })
    child.on('error', lost)
    child.on('exit', () => lost(new Error('carrick_inside ended')))
    child.unref()
    child.channel?.unref()
    return child
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}
