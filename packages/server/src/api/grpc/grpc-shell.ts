import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import type { ShellRunnerInput, ShellRunnerOutputSchema } from '@carrick/protocol/gen/controller_pb.js'
import type { ExecSession, TerminalSize } from '../../backends/backend.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { Deps } from '../deps.ts'
import { execInRunner } from '../runners/exec.ts'
import { endOf, keyRevoked } from '../while-keyed.ts'
import { grpcError } from './grpc-errors.ts'
import { callerOf, eitherOf } from './grpc-serve.ts'
import type { Method } from './grpc-serve.ts'

type Output = MessageInitShape<typeof ShellRunnerOutputSchema>
type Inputs = AsyncIterable<ShellRunnerInput>

/** `ShellRunner`: input and window sizes go in, output comes out, and last the exit code. */
export const shellMethod: Method<(inputs: Inputs, context: HandlerContext) => AsyncIterable<Output>> = {
  permission: execInRunner.permission,
  audited: execInRunner.audited,
  serve: (deps) => (inputs, context) => serve(deps, inputs, context),
}

const streams = { stdout: 1, stderr: 2 } as const
/** Terminals of old: what a client has that does not know its own. */
const usualSize: TerminalSize = { rows: 24, columns: 80 }
const firstMessageMs = 30_000
/** A client on a terminal tells its size at once, in a message of its own. */
const sizeMs = 200
const lookEveryMs = 250

async function* serve(deps: Deps, inputs: Inputs, context: HandlerContext): AsyncGenerator<Output> {
  try {
    const messages = new Messages(inputs)
    const opening = await messages.first()
    const caller = callerOf(deps, context.requestHeader)
    const ends = endOf(deps, caller)
    const signal = eitherOf(context.signal, ends)
    const attention = { signal, say: () => {} }
    const wanted = { id: opening.runnerId, command: opening.command, terminal: await terminalOf(opening, messages) }
    await using session = await execInRunner(deps, caller, wanted, attention)
    using _ = endWhenLeft(deps, session, signal)
    void feed(session, opening, messages)
    for await (const { stream, data } of session.output) yield { data, stream: streams[stream] }
    if (ends?.aborted === true) throw keyRevoked()
    yield { exitCode: await codeOf(deps, session, opening.runnerId) }
  } catch (error) {
    throw grpcError(error, { log: deps.log, method: context.method.name })
  }
}

/** `tty` absent is what older clients send, who know terminals only. */
async function terminalOf({ tty, ttySize }: ShellRunnerInput, messages: Messages): Promise<TerminalSize | undefined> {
  if (tty === false) return undefined
  return sizeOf(ttySize) ?? sizeOf((await messages.peek(sizeMs))?.ttySize) ?? usualSize
}

function sizeOf(size: ShellRunnerInput['ttySize']): TerminalSize | undefined {
  if (size === undefined || size.height < 1 || size.width < 1) return undefined
  return { rows: Math.min(size.height, 10_000), columns: Math.min(size.width, 10_000) }
}

/** What the client sends, to the command. The end of it is the end of its input, as `close` is, and nothing else. */
async function feed(session: ExecSession, opening: ShellRunnerInput, messages: Messages): Promise<void> {
  const take = async ({ data, ttySize, close }: ShellRunnerInput) => {
    const size = sizeOf(ttySize)
    if (size) session.resize(size)
    if (data.length > 0) await session.write(data)
    if (close) session.endInput()
  }
  try {
    await take(opening)
    for (let next = await messages.next(); next !== undefined; next = await messages.next()) await take(next)
    session.endInput()
  } catch {
    // The client has gone, which its signal tells as well.
  }
}

function endWhenLeft({ isDraining }: Deps, session: ExecSession, signal: AbortSignal): Disposable {
  const end = () => void session[Symbol.asyncDispose]()
  const timer = setInterval(() => isDraining() && end(), lookEveryMs)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  return { [Symbol.dispose]: () => (clearInterval(timer), signal.removeEventListener('abort', end)) }
}

async function codeOf({ isDraining }: Deps, { exitCode }: ExecSession, runnerId: string): Promise<number> {
  const code = await exitCode
  if (code !== undefined) return code
  if (isDraining()) throw new CarrickError('draining', 'This server is shutting down, and this session with it')
  throw new CarrickError('runner_disconnected', `Runner "${runnerId}" ended, and this session with it`)
}

/** What a client sends, message by message. */
class Messages {
  readonly #inputs: AsyncIterator<ShellRunnerInput>
  #ahead: Promise<ShellRunnerInput | undefined> | undefined

  constructor(inputs: Inputs) {
    this.#inputs = inputs[Symbol.asyncIterator]()
  }

  /** Throws when it does not come. */
  async first(): Promise<ShellRunnerInput> {
    const first = await this.peek(firstMessageMs)
    if (first === undefined) throw new CarrickError('bad_request', 'The first message must name a runner: none came')
    this.#ahead = undefined
    return first
  }

  /** The next message, which stays the next, if it comes in time. */
  async peek(withinMs: number): Promise<ShellRunnerInput | undefined> {
    this.#ahead ??= this.#read()
    this.#ahead.catch(() => {}) // told to whoever takes it
    const late = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => late.resolve(undefined), withinMs)
    try {
      return await Promise.race([this.#ahead, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Nothing when the client will send no more. */
  next(): Promise<ShellRunnerInput | undefined> {
    const next = this.#ahead ?? this.#read()
    this.#ahead = undefined
    return next
  }

  async #read(): Promise<ShellRunnerInput | undefined> {
    const { done, value } = await this.#inputs.next()
    return done === true ? undefined : value
  }
}
