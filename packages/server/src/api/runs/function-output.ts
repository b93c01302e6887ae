import type { RequestId } from '../../domain/ids.ts'
import type { Terminated } from '../../domain/runner.ts'
import type { LogLine } from '../../logs/log-store.ts'

/** Lines may be stuck in a child process that holds the pipe; the result does not wait for them any longer. */
const lastLinesMs = 1_000

/** What is heard of a runner while it calls a function. */
export class CallInProgress {
  readonly id: RequestId
  readonly mark: string
  readonly #say: (line: LogLine) => void
  readonly #allHeard = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<Terminated>()
  #marks = 0

  /** The runner writes `mark` as the last line of both its streams. */
  constructor(id: RequestId, mark: string, say: (line: LogLine) => void) {
    this.id = id
    this.mark = mark
    this.#say = say
  }

  /** The line as one of the call's. A mark is none; what a child process left unfinished before it is. */
  heard(line: LogLine): LogLine | undefined {
    const isLast = line.message.endsWith(this.mark)
    const message = isLast ? line.message.slice(0, -this.mark.length) : line.message
    if (isLast && (this.#marks += 1) === 2) this.#allHeard.resolve()
    if (isLast && message === '') return undefined
    const own = { ...line, message, requestId: this.id }
    this.#say(own)
    return own
  }

  ended(runner: Terminated): void {
    this.#ended.resolve(runner)
  }

  /** Resolves when every line of the call was heard, as far as that can be known. */
  async allHeard(): Promise<void> {
    await within(this.#allHeard.promise, lastLinesMs)
  }

  /** How the runner ended; undefined when that is not seen in time. */
  end(patienceMs: number): Promise<Terminated | undefined> {
    return within(this.#ended.promise, patienceMs)
  }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), ms)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
