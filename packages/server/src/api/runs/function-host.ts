import { randomBytes } from 'node:crypto'
import type { CallLimits, Caller, Failure } from '../../calls/call.ts'
import { callFunction } from '../../calls/function-call.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { AppId, RequestId, RunnerId } from '../../domain/ids.ts'
import type { RunResult } from '../../domain/run-value.ts'
import { isFailedStart, type StopReason, type Terminated } from '../../domain/runner.ts'
import type { ScaleSettings } from '../../domain/scale.ts'
import type { Homes, Slot } from '../../home/home.ts'
import type { LogLine, LogStore } from '../../logs/log-store.ts'
import type { Asked } from './function-call.ts'
import { CallInProgress } from './function-output.ts'
import { failureOf, tooLong } from './run-outcome.ts'

/** What a host asks of the scheduler. */
export interface HostRunners {
  /** Ends a runner. */
  verdict(id: RunnerId, verdict: 'terminate', reason: StopReason): void
}

export interface HostParts {
  readonly homes: Pick<Homes, 'of'>
  readonly runners: HostRunners
  readonly caller: Pick<Caller, 'exchange'>
  readonly logs: Pick<LogStore, 'tail'>
  readonly jobKeyOf: (id: RunnerId) => string
  readonly limits: { readonly resultBytes: number; readonly connectTimeoutMs: number }
}

/** How long the end of a process may take to be seen. */
const endMs = 10_000

/** One hidden app whose runners call functions, each one at a time. */
export class FunctionHost {
  readonly #appId: AppId
  readonly #scale: ScaleSettings
  readonly #parts: HostParts
  /** Whoever waits for a runner. */
  readonly #waiting = new Set<AbortController>()
  readonly #calls = new Map<RunnerId, CallInProgress>()

  constructor(appId: AppId, scale: ScaleSettings, parts: HostParts) {
    this.#appId = appId
    this.#scale = scale
    this.#parts = parts
  }

  /** Waits for a runner and has it call the function. */
  async call(asked: Asked): Promise<RunResult> {
    for (;;) {
      const result = await this.#callOnce(asked)
      if (result !== undefined) return result
    }
  }

  /**
   * A runner whose call was broken off is ended: nobody knows what it does. Undefined when it had died before the call
   * began, so that another may take it.
   */
  async #callOnce(asked: Asked): Promise<RunResult | undefined> {
    using slot = await this.#slot(asked)
    const call = new CallInProgress(asked.id, randomBytes(16).toString('hex'), asked.say)
    this.#calls.set(slot.runnerId, call)
    try {
      const answer = await this.#exchange(slot, call, asked)
      if (answer.kind === 'refused') return this.#end(slot.runnerId, 'crash')
      if (answer.kind !== 'value' && answer.kind !== 'unloadable') throw await this.#broken(answer, slot, call, asked)
      await call.allHeard()
      return answer
    } catch (error) {
      this.#end(slot.runnerId, 'killed')
      throw error
    } finally {
      if (this.#calls.get(slot.runnerId) === call) this.#calls.delete(slot.runnerId)
    }
  }

  /** A line of one of its runners, with the call that it belongs to; nothing for our own marks. */
  heard(line: LogLine): LogLine | undefined {
    const call = line.runnerId === undefined ? undefined : this.#calls.get(line.runnerId)
    return call === undefined ? line : call.heard(line)
  }

  ended(runner: Terminated): void {
    this.#calls.get(runner.id)?.ended(runner)
    if (!isFailedStart(runner)) return
    const why = failureOf(runner, this.#scale, () => this.#words(runner.id))
    for (const waiting of this.#waiting) waiting.abort(why)
  }

  /** Throws why no runner could be started, where that is so. */
  async #slot({ id, signal }: Asked): Promise<Slot> {
    const start = new AbortController()
    this.#waiting.add(start)
    try {
      return await this.#parts.homes.of(this.#appId).acquire(id, AbortSignal.any([signal, start.signal]))
    } finally {
      this.#waiting.delete(start)
    }
  }

  #exchange({ address, runnerId }: Slot, { mark }: CallInProgress, asked: Asked): Promise<RunResult | Failure> {
    const { caller, jobKeyOf, limits } = this.#parts
    const call = { code: asked.code, setup: asked.setup, mark, limit: limits.resultBytes }
    const within: CallLimits = {
      requestTimeoutMs: this.#scale.request_timeout * 1_000,
      connectTimeoutMs: limits.connectTimeoutMs,
      signal: asked.signal,
    }
    return callFunction(caller, address, call, { ...within, jobKey: jobKeyOf(runnerId) })
  }

  async #broken({ kind }: Failure, { runnerId }: Slot, call: CallInProgress, { signal }: Asked): Promise<unknown> {
    if (kind === 'aborted') return signal.reason
    this.#end(runnerId, kind === 'timed_out' ? 'request_timeout' : 'crash')
    if (kind === 'timed_out') return tooLong(this.#scale)
    const runner = await call.end(endMs)
    if (runner === undefined)
      return new CarrickError('runner_disconnected', `The runner of this run was lost (${kind}).`)
    return failureOf(runner, this.#scale, () => this.#words(runnerId, call.id))
  }

  /** It gets no more calls from this moment on. */
  #end(id: RunnerId, reason: 'killed' | 'crash' | 'request_timeout'): undefined {
    this.#parts.homes.of(this.#appId).retire(id)
    this.#parts.runners.verdict(id, 'terminate', reason)
  }

  #words(id: RunnerId, requestId?: RequestId): string {
    const lines = this.#parts.logs.tail(id, lastWords).filter((line) => line.requestId === requestId)
    return lines.map(({ message }) => message).join('\n')
  }
}

const lastWords = 50
