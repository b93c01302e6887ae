import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { CarrickError } from '../../../domain/errors.ts'
import type { RunnerId } from '../../../domain/ids.ts'
import type { ExecCommand, ExecOutput, ExecSession } from '../../backend.ts'
import { lineReader } from '../lines.ts'
import { merged } from './merged.ts'

/** A runner's main process, and what marks everything that belongs to it. */
export interface ExecPlace {
  readonly id: RunnerId
  readonly installation: string
  readonly pid: number
  /** Tells it from a process that got its id later. */
  readonly startTime: string
  /** The control groups of the runner: their folders. */
  readonly groups: readonly string[]
  /** Whether it has given up what only root may do, as a command in it must. */
  readonly confined: boolean
  /** The program that the runner was started with. */
  readonly program: string
  readonly basePath: string
  /** The Python program that carries the session: `runners/python/carrick_exec`. */
  readonly helper: string
}

const startPatienceMs = 10_000

/**
 * Starts a command beside a runner. A small Python program joins the runner's group and namespaces, makes the terminal
 * or the pipes, and carries bytes; it ends with everything that the command started when its last pipe to us closes.
 */
export async function startSession(place: ExecPlace, wanted: ExecCommand): Promise<ExecSession> {
  const { id, installation, pid, groups, confined, basePath } = place
  const child = spawn(pythonOf(place), ['-I', '-S', '-B', place.helper], {
    cwd: '/',
    env: { PATH: basePath, CARRICK_RUNNER_ID: id, CARRICK_INSTALLATION: installation },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const { stdin: input, stdout, stderr, stdio } = child
  const control = stdio[3]
  if (!(control instanceof Duplex)) throw new Error('a pipe that was asked for is not there')
  // Whatever fails here shows as an early end, of which the session tells.
  for (const each of [child, input, stdout, stderr, control]) each.on('error', () => {})
  // Node throws away what nobody has begun to read when a process ends, which a quick command does before we are asked.
  for (const pipe of [stdout, stderr]) pipe.on('readable', () => {})
  const helper = new Helper(child, control)
  const size = wanted.terminal && [wanted.terminal.rows, wanted.terminal.columns]
  helper.say({ pid, startTime: place.startTime, groups, confined, command: wanted.command, size: size ?? null })
  try {
    await helper.started()
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return new ProcessSession({ input, stdout, stderr, control }, helper)
}

/** The runner's own interpreter where it has one: the machine may have no other. */
function pythonOf({ program }: ExecPlace): string {
  return /^python[\d.]*$/.test(basename(program)) ? program : 'python3'
}

interface Pipes {
  readonly input: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  readonly control: Duplex
}

class ProcessSession implements ExecSession {
  readonly output: AsyncIterable<ExecOutput>
  readonly exitCode: Promise<number | undefined>
  readonly #pipes: Pipes
  readonly #helper: Helper

  constructor(pipes: Pipes, helper: Helper) {
    this.#pipes = pipes
    this.#helper = helper
    this.output = merged({ stdout: pipes.stdout, stderr: pipes.stderr })
    this.exitCode = helper.exit
  }

  async write(data: Uint8Array): Promise<void> {
    const { input } = this.#pipes
    if (!input.writable) return
    if (input.write(data)) return
    const over = new AbortController()
    const ended = [once(input, 'close', over), this.#helper.exit]
    await Promise.race([once(input, 'drain', over), ...ended]).catch(() => {})
    over.abort()
  }

  endInput(): void {
    this.#pipes.input.end()
  }

  resize({ rows, columns }: { readonly rows: number; readonly columns: number }): void {
    this.#helper.say({ resize: [rows, columns] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { input, stdout, stderr, control } = this.#pipes
    for (const pipe of [control, input, stdout, stderr]) pipe.destroy()
    await this.#helper.exit
  }
}

/** The control channel: JSON lines both ways. */
class Helper {
  readonly exit: Promise<number | undefined>
  readonly #control: Duplex
  readonly #begun = Promise.withResolvers<string | undefined>()

  constructor(child: ChildProcess, control: Duplex) {
    this.#control = control
    this.exit = this.#listen(child)
  }

  say(message: object): void {
    if (this.#control.writable) this.#control.write(`${JSON.stringify(message)}\n`)
  }

  /** Resolves when the command runs; throws a sentence when it cannot. */
  async started(): Promise<void> {
    const timer = setTimeout(() => this.#begun.resolve('nothing was heard of it for ten seconds'), startPatienceMs)
    const failure = await this.#begun.promise
    clearTimeout(timer)
    if (failure !== undefined) throw new CarrickError('exec_failed', failure)
  }

  /** Until the helper has gone: it closes its end last. */
  async #listen(child: ChildProcess): Promise<number | undefined> {
    let code: number | undefined
    const lines = lineReader(({ text }) => {
      const said = JSON.parse(text) as { started?: number; failed?: string; exit?: number }
      if (said.exit !== undefined) code = said.exit
      this.#begun.resolve(said.failed)
    })
    this.#control.on('data', (chunk: Buffer) => lines.read(chunk))
    await gone(child)
    this.#begun.resolve('The program that runs commands beside a runner could not be started')
    return code
  }
}

/** Resolves when the process has ended and its pipes are read or closed, or when it could not be started. */
async function gone(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => child.pid === undefined && resolve())
  })
}
