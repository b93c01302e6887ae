import { type ChildProcess } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as os } from 'node:os'
import { Duplex } from 'node:stream'
import type { Exit } from '../../../domain/runner.ts'
import { lineReader } from '../lines.ts'

/** A process that waits to be told what to become, and its pipes. */
export interface Begun {
  readonly pid: number
  readonly told: Socket
  readonly stdout: Socket
  readonly stderr: Socket
  /** Where a program that knows of it says that it listens. */
  readonly word: Socket
  /** How it ended. What it had started is none of this. */
  readonly exited: Promise<Exit>
}

/** What all runners here will have of namespaces: it is made before one is told anything. */
export type Walls = 'plain' | 'apart' | 'network'

interface Waiting {
  readonly resolve: (begun: Begun) => void
  readonly reject: (why: Error) => void
}

const killed: Exit = { code: null, signal: 'SIGKILL' }

/**
 * One small process that forks the others (`carrick_launch/forkserver.py`): a fork of the server copies its page tables,
 * which are large, and every interpreter that is started takes as long again. It is started when first needed, and again when
 * it is lost; then those that it had begun count as killed, for nobody else could tell how they end.
 */
export class ForkServer {
  readonly #spawn: () => ChildProcess
  readonly #how: Walls
  #current: Connection | undefined
  #closed = false

  /** `spawn` starts it, with a socket to it as its fourth pipe. */
  constructor(spawn: () => ChildProcess, how: Walls) {
    this.#spawn = spawn
    this.#how = how
  }

  /** Throws a sentence when there can be none. */
  begin(): Promise<Begun> {
    if (this.#closed) return Promise.reject(new Error('the backend is closed'))
    this.#current ??= new Connection(this.#spawn(), () => (this.#current = undefined))
    return this.#current.begin(this.#how)
  }

  close(): void {
    this.#closed = true
    this.#current?.close()
  }
}

class Connection {
  readonly #child: ChildProcess
  readonly #control: Duplex
  readonly #waiting = new Map<number, Waiting>()
  readonly #living = new Map<number, (exit: Exit) => void>()
  #asked = 0

  constructor(child: ChildProcess, onLost: () => void) {
    const control = child.stdio[3]
    if (!(control instanceof Duplex)) throw new Error('the program that begins runners could not be started')
    this.#child = child
    this.#control = control
    const lines = lineReader(({ text }) => this.#hear(text.split(' ')))
    control.on('data', (chunk: Buffer) => lines.read(chunk)).on('error', () => {})
    let why = 'the program that begins runners has ended'
    child.once('error', (error) => (why = `the program that begins runners could not be started: ${error.message}`))
    control.once('close', () => {
      onLost()
      child.kill('SIGKILL')
      for (const { reject } of this.#waiting.values()) reject(new Error(why))
      for (const tell of this.#living.values()) tell(killed)
    })
  }

  begin(how: Walls): Promise<Begun> {
    const { promise, resolve, reject } = Promise.withResolvers<Begun>()
    this.#asked += 1
    this.#waiting.set(this.#asked, { resolve, reject })
    this.#control.write(`fork ${this.#asked} ${how}\n`)
    return promise
  }

  close(): void {
    this.#control.destroy()
  }

  #hear([verb, first, ...rest]: readonly string[]): void {
    if (verb === 'ended') return this.#end(Number(first), Number(rest[0]), Number(rest[1]))
    const waiting = this.#waiting.get(Number(first))
    this.#waiting.delete(Number(first))
    if (verb === 'refused') return waiting?.reject(new Error(`no process could be begun: ${rest.join(' ')}`))
    const [pid = 0, ...ends] = rest.map(Number)
    const { promise: exited, resolve } = Promise.withResolvers<Exit>()
    this.#living.set(pid, resolve)
    try {
      waiting?.resolve({ pid, ...this.#opened(ends), exited })
    } catch (error) {
      waiting?.reject(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#control.write(`opened ${pid}\n`)
    }
  }

  #end(pid: number, code: number, signal: number): void {
    const tell = this.#living.get(pid)
    this.#living.delete(pid)
    tell?.(signal === 0 ? { code, signal: null } : { code: null, signal: nameOf(signal) })
  }

  /** Its pipes, which the fork server holds until we have said that we did this. */
  #opened(ends: readonly number[]): Pick<Begun, 'told' | 'stdout' | 'stderr' | 'word'> {
    const fds: number[] = []
    try {
      for (const [index, end] of ends.entries()) {
        const flags = index === 0 ? constants.O_WRONLY : constants.O_RDONLY
        fds.push(openSync(`/proc/${this.#child.pid}/fd/${end}`, flags | constants.O_NONBLOCK))
      }
    } catch (error) {
      for (const fd of fds) closeSync(fd)
      throw error
    }
    const [told = 0, stdout = 0, stderr = 0, word = 0] = fds
    const read = (fd: number) => new Socket({ fd, readable: true, writable: false })
    return {
      told: new Socket({ fd: told, readable: false, writable: true }),
      stdout: read(stdout),
      stderr: read(stderr),
      word: read(word),
    }
  }
}

function nameOf(signal: number): string {
  return Object.entries(os.signals).find(([, number]) => number === signal)?.[0] ?? `SIG${signal}`
}
