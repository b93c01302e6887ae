import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { Exchange as Answer, Failure } from '../../calls/call.ts'
import { askToStop } from '../../calls/cancel.ts'
import { answered, endpointOf, headersToCaller, headersToRunner, type Origin } from '../../calls/headers.ts'
import { callerTo } from '../../calls/thawing.ts'
import { httpStatus } from '../../domain/outcome.ts'
import { isOwnServer } from '../../domain/own-server.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import type { Answered } from '../../domain/retry.ts'
import type { Slot } from '../../home/home.ts'
import type { Use } from '../../home/usage-meter.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { callableApp, calledAs, callerByToken, callerIdFor, owns, type CallableApp } from '../access.ts'
import { closeSoon } from './accept-socket.ts'
import type { GatewayDeps } from '../deps.ts'
import { errorAnswer, told } from '../errors.ts'
import { headerPairs } from '../platform-headers.ts'
import { SessionAnswer } from './session-answer.ts'
import { startLimitMs, waitForSlot } from '../slot.ts'
import { troubleOf } from '../sync.ts'
import { taking } from '../taking.ts'
import type { Target } from '../target.ts'
import { judge } from '../verdict.ts'

/** A session, as one of its calls sees it. */
export interface InSession {
  /** Its handshake: the headers are those of every call. */
  readonly req: IncomingMessage
  readonly socket: WebSocket
  readonly target: Target
  /** Aborted when the caller has left. */
  readonly gone: AbortSignal
}

const brokenOff = 1011

/** Makes one call of a session. Where the answer breaks off, so does the session. Never rejects. */
export async function answerInSession(deps: GatewayDeps, session: InSession, body: Buffer): Promise<void> {
  const requestId = uuidv7(deps.clock)
  const answer = new SessionAnswer(session.socket, requestId)
  try {
    await call(deps, session, { body, answer })
  } catch (error) {
    const failure = told(error, requestId, deps.log)
    if (answer.hasBegun) return closeSoon(session.socket, brokenOff, 'the answer of the app broke off')
    const { status, headers, body: detail } = errorAnswer(failure)
    answer.begin(status, [['content-type', 'application/json; charset=utf-8'], ...headers])
    await answer.piece(Buffer.from(JSON.stringify(detail)))
    answer.end()
  }
}

interface Calling {
  readonly body: Buffer
  readonly answer: SessionAnswer
}

async function call(deps: GatewayDeps, session: InSession, calling: Calling): Promise<void> {
  const { req, target, gone } = session
  const { requestId } = calling.answer
  const caller = await callerByToken(req, deps, target)
  const known = callableApp(taking(deps).apps, caller, target.alias)
  const deadlineMs = startLimitMs(req.headers, known, owns(caller, known))
  const { traffic } = deps.homes.of(known.app.id)
  const cameAt = deps.clock.now()
  traffic.received('POST')
  try {
    using slot = await waitForSlot(deps, known, { requestId, deadlineMs, signal: gone })
    using use = deps.homes.usage.begin(slot.runnerId, calledAs(caller, known), requestId)
    const origin = { requestId, endpoint: endpointOf(known.app, target.path), callerId: callerIdFor(caller, known) }
    await serve(deps, session, { ...calling, slot, use, known, origin })
  } finally {
    traffic.completed('POST', calling.answer.status ?? httpStatus.cancelled, cameAt)
  }
}

interface Serving extends Calling {
  readonly slot: Slot
  readonly use: Use
  readonly known: CallableApp
  readonly origin: Origin
}

async function serve(
  deps: GatewayDeps,
  { req, target: { path }, gone }: InSession,
  { body, answer, slot, use, known, origin }: Serving,
): Promise<void> {
  const headers = [...headersToRunner(ofTheCall(req), origin), ['content-type', 'application/json'] as const]
  // The app decides what becomes of its work; the slot stays taken until it is done. A server of its own sees who leaves.
  const hangsUp = isOwnServer(known.active.spec)
  const stop = () => void askToStop(deps.caller, slot.address, { ...origin, path })
  if (!hangsUp) gone.addEventListener('abort', stop, { once: true })
  try {
    const exchange = await callerTo(slot, deps.caller).exchange(
      slot.address,
      { method: 'POST', path, headers, body },
      {
        requestTimeoutMs: known.app.scale.request_timeout * 1_000,
        connectTimeoutMs: deps.limits.connectTimeoutMs,
        signal: hangsUp ? gone : new AbortController().signal,
      },
    )
    if (exchange.kind === 'answered') use.answered(exchange.headers)
    const end = await relay(exchange, answer, { gone, runnerId: slot.runnerId })
    judge(deps, { appId: known.app.id, runnerId: slot.runnerId }, end)
    if (end.kind !== 'answered') throw troubleOf(end)
    answer.end()
  } finally {
    gone.removeEventListener('abort', stop)
  }
}

/** Sends an answer on as it comes, no faster than it is read. */
async function relay(
  exchange: Answer,
  answer: SessionAnswer,
  { gone, runnerId }: { gone: AbortSignal; runnerId: string },
): Promise<Answered | Failure> {
  if (exchange.kind !== 'answered') return exchange
  const { status, headers, body } = exchange
  const leave = () => void body.destroy()
  gone.addEventListener('abort', leave, { once: true })
  if (gone.aborted) leave()
  answer.begin(status, headersToCaller(headers, { status, requestId: answer.requestId, runnerId }))
  try {
    for await (const chunk of body) await answer.piece(chunk)
  } catch {
    leave() // how it ended for the runner is what counts, and comes next
  } finally {
    gone.removeEventListener('abort', leave)
  }
  const ended = await exchange.ended
  return ended.kind === 'complete' ? answered(status, headers) : ended
}

/** Those of the handshake speak of the WebSocket too. */
function ofTheCall(req: IncomingMessage): HeaderPairs {
  return headerPairs(req.rawHeaders).filter(
    ([name]) => !name.startsWith('sec-websocket-') && name !== 'content-type' && name !== 'content-length',
  )
}
