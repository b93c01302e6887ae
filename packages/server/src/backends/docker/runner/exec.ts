import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Container, Exec } from 'dockerode'
import { CarrickError } from '../../../domain/errors.ts'
import { aborted } from '../../../kit/aborted.ts'
import type { ExecCommand, ExecOutput, ExecSession, TerminalSize } from '../../backend.ts'
import { isAlive, procOf, bootId, type ProcIdentity } from '../../process/proc.ts'
import { answerMs, wordsOf, type Engine } from '../engine/engine.ts'
import { endLeftovers, markName } from './exec-leftovers.ts'
import { FrameReader } from './frames.ts'

/** The runner beside which a command runs. */
export interface ExecPlace {
  readonly container: Container
  readonly init: ProcIdentity | undefined
  readonly engine: Engine
  /** Aborted when the runner has ended. */
  readonly over: AbortSignal
  /** Whether the runner is being ended. */
  readonly isEnding: () => boolean
  /** Resolves with the code of a command that the engine says has ended. */
  readonly whenEnded: (execId: string) => Promise<number>
}

/** Starts a command beside a runner. Throws `exec_failed` with the engine's words when nothing can be run in it. */
export async function startSession(place: ExecPlace, wanted: ExecCommand): Promise<ExecSession> {
  const mark = randomUUID()
  const { terminal } = wanted
  try {
    const exec = await place.container.exec(optionsFor(wanted, mark, place.engine))
    const ended = place.whenEnded(exec.id)
    const connection = await exec.start({ hijack: true, stdin: true, Tty: terminal !== undefined })
    return new ContainerSession(place, { exec, ended, mark, terminal, connection })
  } catch (error) {
    throw new CarrickError('exec_failed', `No command can be run in this runner: ${wordsOf(error)}`, { cause: error })
  }
}

/** Prefers the shell that $SHELL names, then bash. */
const anyShell = ['/bin/sh', '-c', 'exec "${SHELL:-$(command -v bash || echo sh)}"']
/** Before 1.42 the engine has no size for a terminal until its program runs, which may have looked already. */
const sizedShell = ['/bin/sh', '-c', 'stty rows "$1" cols "$2" 2>/dev/null; shift 2; exec "$@"', 'sh']

function optionsFor(
  { command, terminal }: ExecCommand,
  mark: string,
  { facts }: Engine,
): Parameters<Container['exec']>[0] {
  const program = command.length === 0 ? anyShell : [...command]
  const knowsSize = Number(facts.api.split('.')[1]) >= 42
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true }
  if (terminal === undefined) return { ...streams, Cmd: program, Env: [`${markName}=${mark}`] }
  const { rows, columns } = terminal
  return {
    ...streams,
    Tty: true,
    Env: [`${markName}=${mark}`, 'TERM=xterm-256color'],
    ...(knowsSize
      ? { Cmd: program, ConsoleSize: [rows, columns] }
      : { Cmd: [...sizedShell, String(rows), String(columns), ...program] }),
  }
}

interface Started {
  readonly exec: Exec
  readonly ended: Promise<number>
  readonly mark: string
  readonly terminal: TerminalSize | undefined
  readonly connection: Duplex
}

const endOfFile = '\x04'
const lookEveryMs = 100
const mostLooks = 50
/** As the engine says on a command's output that there is no such command. */
const engineWords = /^OCI runtime exec failed: /
const killedCode = 137
/** The end of a runner may take so long to be told. */
const graceMs = 1_000

class ContainerSession implements ExecSession {
  readonly output: AsyncIterable<ExecOutput>
  readonly exitCode: Promise<number | undefined>
  readonly #place: ExecPlace
  readonly #started: Started
  readonly #read = Promise.withResolvers<void>()
  readonly #letGo = new AbortController()
  /** Whether what was written so far ends in the middle of a line. */
  #isLineBegun = false
  #resized: Promise<unknown> = Promise.resolve()
  /** The code that shells have for a program that there is not. */
  #refusal: number | undefined

  constructor(place: ExecPlace, started: Started) {
    this.#place = place
    this.#started = started
    started.connection.on('error', () => {}) // it shows as an early end
    this.output = this.#said()
    const until = AbortSignal.any([place.over, this.#letGo.signal])
    this.exitCode = this.#follow(until)
    void this.#endWhatHoldsOn(until)
  }

  async write(data: Uint8Array): Promise<void> {
    const { connection } = this.#started
    await this.#resized // by another way: what is typed after it comes after it
    if (!connection.writable || data.length === 0) return
    this.#isLineBegun = data.at(-1) !== 0x0a
    if (connection.write(data)) return
    const over = new AbortController()
    await Promise.race([once(connection, 'drain', over), once(connection, 'close', over), this.exitCode]).catch(
      () => {},
    )
    over.abort()
  }

  endInput(): void {
    const { connection, terminal } = this.#started
    if (!connection.writable) return
    // A terminal has no end: its reader is told of one, which a reader of lines takes only where a line could begin.
    if (terminal) connection.write(`${this.#isLineBegun ? '\n' : ''}${endOfFile}`)
    else connection.end()
    this.#isLineBegun = false
  }

  resize({ rows, columns }: TerminalSize): void {
    const { exec } = this.#started
    const next = this.#resized.then(() => exec.resize({ h: rows, w: columns }))
    this.#resized = next.catch(() => {}) // it has ended, and has no size any more
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letGo.abort()
    this.#started.connection.destroy()
    await this.exitCode
  }

  async *#said(): AsyncGenerator<ExecOutput, void> {
    const { connection, terminal } = this.#started
    const reader = new FrameReader()
    const framesIn = (chunk: Buffer) => (terminal ? [{ stream: 'stdout' as const, data: chunk }] : reader.read(chunk))
    try {
      for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
        for (const { stream, data } of framesIn(chunk as Buffer)) yield this.#asShellsSay(stream, data)
      }
    } catch {
      // the connection broke: that is its end
    } finally {
      this.#read.resolve()
    }
  }

  #asShellsSay(stream: ExecOutput['stream'], data: Buffer): ExecOutput {
    const words = data.length < 4_096 ? data.toString() : ''
    if (!engineWords.test(words)) return { stream, data }
    this.#refusal = /not found|no such file/i.test(words) ? 127 : 126
    return { stream: this.#started.terminal ? 'stdout' : 'stderr', data }
  }

  /** Until it has ended and all that it said is read, or it was ended. */
  async #follow(until: AbortSignal): Promise<number | undefined> {
    await Promise.race([this.#read.promise, aborted(until)])
    const code = until.aborted ? undefined : await this.#code()
    this.#started.connection.destroy()
    if (!this.#place.over.aborted) await endLeftovers(this.#started.mark, this.#place.container, this.#place.init)
    return code
  }

  async #code(): Promise<number | undefined> {
    if (this.#refusal !== undefined) return this.#refusal
    const { exec, ended } = this.#started
    const waiting = new AbortController()
    const known = async () => {
      const { Running, ExitCode } = await exec.inspect()
      return Running || ExitCode === null ? ended : ExitCode
    }
    const late = pause(answerMs, undefined, waiting).catch(() => undefined)
    const code = await Promise.race([known().catch(() => undefined), late])
    waiting.abort()
    return code === killedCode && !(await this.#isRunnerAlive()) ? undefined : code
  }

  /**
   * All that is in a container ends with its first process, by the same signal as one that somebody killed, and before
   * the engine tells of that; a busy engine, long before.
   */
  async #isRunnerAlive(): Promise<boolean> {
    const { over, isEnding, init } = this.#place
    const waiting = new AbortController()
    await Promise.race([aborted(over), pause(isEnding() ? answerMs : graceMs, undefined, waiting).catch(() => {})])
    waiting.abort()
    return !over.aborted && (init === undefined || isAlive(init))
  }

  /** A connection stays open while anything holds on to it, also when the command itself has ended. */
  async #endWhatHoldsOn(until: AbortSignal): Promise<void> {
    const main = await this.#main()
    if (main === undefined) return
    const signal = AbortSignal.any([until, this.#place.over])
    let isRead = false
    void this.#read.promise.then(() => (isRead = true))
    while (!signal.aborted && !isRead && isAlive(main)) await pause(lookEveryMs)
    if (!signal.aborted && !isRead) await endLeftovers(this.#started.mark, this.#place.container, this.#place.init)
  }

  /** Its own process, as this machine counts. */
  async #main(): Promise<ProcIdentity | undefined> {
    if (this.#place.init === undefined) return undefined
    for (let look = 0; look < mostLooks; look += 1) {
      const seen = await this.#started.exec.inspect().catch(() => undefined)
      const startTime = seen?.Pid ? procOf(seen.Pid)?.startTime : undefined
      if (seen?.Pid && startTime !== undefined) return { pid: seen.Pid, startTime, bootId: bootId() }
      if (!seen?.Running) return undefined
      await pause(lookEveryMs)
    }
    return undefined
  }
}
