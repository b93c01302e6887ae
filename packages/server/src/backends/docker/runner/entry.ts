import { fork, type ChildProcess } from 'node:child_process'
import { open } from 'node:fs/promises'
import { connect, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Address } from '../../../domain/runner.ts'
import type { Logger } from '../../../kit/logger.ts'
import type { Dial } from '../../../kit/ways-in.ts'
import { findPython } from '../../process/start/launcher.ts'
import { isAlive, type ProcIdentity } from '../../process/proc.ts'

const program = fileURLToPath(new URL('../../../../../../runners/python/carrick_enter', import.meta.url))
/** It has a limit of its own; this one is for a program that hangs. */
const graceMs = 1_000
/** Then it is not started again: it cannot work here. */
const mostEnds = 3

/** What to enter, and where to connect there. */
export interface Inside {
  /** A process in the network namespace. */
  readonly init: ProcIdentity
  readonly address: Address
  /** The same from outside, for when the nearer way is lost. */
  readonly published: Address
}

/** A nearer way to one container, until it is closed. */
export interface Entrance {
  readonly dial: Dial
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (socket: Socket) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Connections into containers by sockets that are opened inside: the engine's own way copies each byte twice in a process of
 * its own, and halves what a machine can call. A program of root's opens them (`carrick_enter`); where it cannot, or is lost,
 * a connection goes to the published port. An app sees its own address as the caller's.
 */
export class Entries {
  readonly #python: string
  readonly #log: Logger
  readonly #waiting = new Map<number, Waiting>()
  #next = 0
  #child: ChildProcess | undefined
  #endsInARow = 0
  #isClosed = false

  private constructor(python: string, log: Logger) {
    this.#python = python
    this.#log = log
  }

  /** Undefined where this server may not enter, being no root, or has no Python to do it. */
  static async open(log: Logger): Promise<Entries | undefined> {
    const python = process.getuid?.() === 0 ? await findPython('/usr/local/bin:/usr/bin:/bin') : undefined
    return python === undefined ? undefined : new Entries(python, log)
  }

  /** Undefined where the process has ended: its number may be another's by now. */
  async into({ init, address, published }: Inside): Promise<Entrance | undefined> {
    const namespace = await open(`/proc/${init.pid}/ns/net`).catch(() => undefined)
    if (namespace === undefined) return undefined
    if (!isAlive(init)) {
      await namespace.close()
      return undefined
    }
    const net = `/proc/${process.pid}/fd/${namespace.fd}`
    return {
      dial: (limitMs) => this.#connect({ net, ...address, limitMs }, published),
      close: () => namespace.close(),
    }
  }

  close(): void {
    this.#isClosed = true
    this.#child?.kill('SIGKILL')
  }

  async #connect(asked: Asked, published: Address): Promise<Socket> {
    const child = this.#running()
    if (child === undefined) return connected(published, asked.limitMs)
    const id = (this.#next += 1)
    const socket = await new Promise<Socket | undefined>((resolve, reject) => {
      const late = () => this.#take(id)?.reject(failure('ETIMEDOUT'))
      const timer = setTimeout(late, asked.limitMs + graceMs)
      this.#waiting.set(id, { resolve, reject, timer })
      child.send({ id, ...asked }, (error) => error && this.#take(id)?.reject(error))
    }).catch((error: unknown) => {
      if (isConnects(error)) throw error
      return undefined
    })
    return socket ?? connected(published, asked.limitMs)
  }

  #running(): ChildProcess | undefined {
    if (this.#isClosed || this.#endsInARow >= mostEnds) return undefined
    return (this.#child ??= this.#start())
  }

  #start(): ChildProcess {
    const child = fork(program, [], {
      execPath: this.#python,
      execArgv: ['-I'],
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.on('message', (said: Said, socket) => this.#hear(said, socket instanceof Socket ? socket : undefined))
    child.on('error', (error) => this.#lose(child, error))
    child.on('exit', () => this.#lose(child, new Error('carrick_enter ended')))
    child.unref()
    child.channel?.unref()
    return child
  }

  #hear({ id, error }: Said, socket: Socket | undefined): void {
    const waiting = this.#take(id)
    if (waiting === undefined) return void socket?.destroy()
    if (socket === undefined) waiting.reject(failure(error ?? 'EIO'))
    else {
      this.#endsInARow = 0
      waiting.resolve(socket)
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    clearTimeout(waiting?.timer)
    return waiting
  }

  #lose(child: ChildProcess, error: Error): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#endsInARow += 1
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(error)
    if (!this.#isClosed) this.#log.warn({ err: error }, 'containers are called by their published ports for now')
  }
}

interface Asked {
  readonly net: string
  readonly host: string
  readonly port: number
  readonly limitMs: number
}

interface Said {
  readonly id: number
  /** Why it did not connect, as the kernel names it. */
  readonly error?: string
}

/** As a socket of Node's own says it. */
const failure = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' })

/** Whether the answer came from inside; any other failure is of the way. */
const isConnects = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ETIMEDOUT')

function connected({ host, port }: Address, limitMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true })
    const timer = setTimeout(() => socket.destroy(failure('ETIMEDOUT')), limitMs)
    socket.once('connect', () => (clearTimeout(timer), socket.off('error', reject), resolve(socket)))
    socket.once('error', reject).once('close', () => clearTimeout(timer))
  })
}
