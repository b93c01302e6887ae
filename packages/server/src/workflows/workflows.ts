/**
 * Workflows: the platform as the runner of graphs of calls.
 * Offers itself to the home of each workflow, and answers attempts in a runner's place: it puts the calls of nodes into
 * the queues of their apps and waits for their answers. Reads requests and results, writes requests. One per installation.
 */
import type { Call, Caller, CallLimits, Exchange } from '../calls/call.ts'
import { pathOnly } from '../calls/headers.ts'
import { relayOf } from '../calls/relay.ts'
import { CarrickError } from '../domain/errors.ts'
import type { AppId, RequestId } from '../domain/ids.ts'
import type { Address } from '../domain/runner.ts'
import { readWorkflow, wholeInput } from '../domain/workflow.ts'
import type { Apps, KnownApp } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import type { Logger } from '../kit/logger.ts'
import type { LogStore } from '../logs/log-store.ts'
import { eventAnswer, failureOf, jsonAnswer } from './answers.ts'
import { readJson } from './json.ts'
import { Cancelled, run, type RunEvent, type RunParts } from './run.ts'

export interface WorkflowParts extends RunParts {
  readonly apps: Apps
  readonly homes: Homes
  readonly logs: Pick<LogStore, 'append'>
  readonly log: Logger
  /** Reaches the runners of apps. */
  readonly caller: Caller
}

export interface Workflows {
  /** Reaches workflows, and through `parts.caller` the runners of apps. */
  readonly caller: Caller
  /** Offers each workflow's home a place for its requests. To be called when all is there to run them. */
  open(): Promise<void>
  /** Lets go of what runs: the next start takes it up again. */
  close(): void
}

/** How many runs of one workflow there may be at a time. More wait in its queue. */
const runsAtOnce = 100
const runnerId = 'workflows'
/** No host can have a name with this ending. */
const ending = '.workflow.invalid'

export function createWorkflows(parts: WorkflowParts): Workflows {
  return new LocalWorkflows(parts)
}

class LocalWorkflows implements Workflows {
  readonly caller: Caller
  readonly #parts: WorkflowParts
  readonly #closing = new AbortController()
  readonly #running = new Map<RequestId, AbortController>()
  #offered: ReadonlyMap<AppId, string> = new Map()
  #stopListening = () => {}

  constructor(parts: WorkflowParts) {
    this.#parts = parts
    const exchange: Caller['exchange'] = (address, call, limits) => this.#exchange(address, call, limits)
    const own: Pick<Caller, 'exchange' | 'relay'> = { exchange, relay: relayOf(exchange) }
    const callerOf = ({ host }: Address) => (host.endsWith(ending) ? own : parts.caller)
    this.caller = {
      exchange: (address, ...rest) => callerOf(address).exchange(address, ...rest),
      relay: (address, ...rest) => callerOf(address).relay(address, ...rest),
      close: () => parts.caller.close(),
    }
  }

  async open(): Promise<void> {
    const look = async () => {
      await this.#parts.apps.refresh()
      this.#offer()
    }
    this.#stopListening()
    this.#stopListening = this.#parts.store.onChange('app', () => {
      look().catch((error: unknown) => this.#parts.log.error({ err: error }, 'workflows could not be looked at again'))
    })
    await look()
  }

  close(): void {
    this.#stopListening()
    this.#closing.abort()
  }

  #offer(): void {
    const { apps, homes } = this.#parts
    const now = new Map<AppId, string>()
    for (const { app, active } of apps.all()) if (active?.spec.workflow !== undefined) now.set(app.id, active.id)
    for (const [appId, revisionId] of now) {
      if (this.#offered.get(appId) === revisionId) continue
      homes.of(appId).setMultiplexing(runsAtOnce)
      homes.of(appId).setRunners([{ id: runnerId, revisionId, address: { host: `${appId}${ending}`, port: 0 } }])
    }
    for (const appId of this.#offered.keys()) if (!now.has(appId)) homes.of(appId).setRunners([])
    this.#offered = now
  }

  async #exchange({ host }: Address, call: Call, limits: CallLimits): Promise<Exchange> {
    const path = pathOnly(call.path)
    const requestId = call.headers.find(([name]) => name === 'x-fal-request-id')?.[1] ?? ''
    if (call.method !== 'POST') return jsonAnswer(405, { detail: 'A workflow is called with POST' })
    if (path.endsWith('/cancel')) return this.#cancel(requestId)
    const known = this.#parts.apps.byId(host.slice(0, -ending.length))
    if (known === undefined) return jsonAnswer(404, { detail: 'The workflow was deleted' })
    if (path === '/') return this.#answer(known, requestId, call, limits)
    if (path === '/stream') return this.#stream(known, requestId, call, limits)
    return jsonAnswer(404, { detail: `A workflow has no path "${path}": call it itself, or its /stream` })
  }

  #cancel(requestId: RequestId): Exchange {
    this.#running.get(requestId)?.abort(new Cancelled())
    return jsonAnswer(200, {})
  }

  async #answer(known: KnownApp, requestId: RequestId, call: Call, limits: CallLimits): Promise<Exchange> {
    try {
      return jsonAnswer(200, await this.#run(known, requestId, call, limits, () => {}))
    } catch (error) {
      if (this.#isCutOff(limits)) return { kind: 'aborted' }
      const failure = failureOf(error)
      if (failure === undefined) throw error
      return jsonAnswer(failure.status, failure.body)
    }
  }

  /** Tells what happens as it happens; a failure is the last event. */
  #stream(known: KnownApp, requestId: RequestId, call: Call, limits: CallLimits): Exchange {
    const { answer, tell, end } = eventAnswer()
    this.#run(known, requestId, call, limits, tell)
      .catch((error: unknown) => {
        const failure = failureOf(error)
        if (failure === undefined) this.#parts.log.error({ err: error, requestId }, 'a workflow failed unexpectedly')
        const { detail = 'The workflow failed inside the server', ...more } = failure?.body ?? {}
        tell({
          type: 'error',
          message: detail,
          error: { status: failure?.status ?? 500, body: failure?.body },
          ...more,
        })
      })
      .finally(end)
    return answer
  }

  async #run(
    { app, active }: KnownApp,
    requestId: RequestId,
    { body }: Call,
    limits: CallLimits,
    tell: (event: object) => void,
  ): Promise<unknown> {
    const cancelled = new AbortController()
    this.#running.set(requestId, cancelled)
    const timedOut = AbortSignal.timeout(limits.requestTimeoutMs)
    try {
      const source = body === null ? [] : body instanceof Uint8Array ? [body] : body
      const sent = await readJson(asyncOf(source), 'What was sent')
      const workflow = readWorkflow(active?.spec.workflow?.contents)
      const input = wholeInput(workflow, sent === '' ? {} : sent)
      const signal = AbortSignal.any([cancelled.signal, timedOut])
      const cutOff = AbortSignal.any([limits.signal, this.#closing.signal])
      const told = (event: RunEvent) => {
        tell(event)
        this.#note(app, requestId, wordsFor(event))
      }
      return await run(
        { requestId, accountId: app.accountId, workflow, input, signal, cutOff, tell: told },
        this.#parts,
      )
    } catch (error) {
      if (timedOut.aborted)
        throw new CarrickError('request_timeout', 'The workflow ran longer than a workflow may', { cause: error })
      if (!this.#isCutOff(limits)) this.#note(app, requestId, error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      this.#running.delete(requestId)
    }
  }

  #isCutOff({ signal }: CallLimits): boolean {
    return signal.aborted || this.#closing.signal.aborted
  }

  /** What happens to a run stands among its log lines. */
  #note({ id, accountId }: KnownApp['app'], requestId: RequestId, message: string): void {
    const { logs, clock } = this.#parts
    logs.append({ at: clock.now(), source: 'bridge', level: 'info', message, accountId, appId: id, requestId })
  }
}

function wordsFor(event: RunEvent): string {
  switch (event.type) {
    case 'submit':
      return `Node "${event.node_id}" calls ${event.app_id} as request ${event.request_id}`
    case 'completion':
      return `Node "${event.node_id}" has answered`
    default:
      return 'The workflow has its output'
  }
}

async function* asyncOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* source
}
