import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { headersToCaller } from '../../calls/headers.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import type { Slot } from '../../home/home.ts'
import type { Use } from '../../home/usage-meter.ts'
import { acceptSocket, whenIdle } from './accept-socket.ts'
import { reasonPhrase } from '../answers.ts'
import type { GatewayLimits } from '../deps.ts'
import { dial } from './dial.ts'
import { offerUpgrade, type Upgrade } from './handshake.ts'
import type { Patience } from './patience.ts'
import { headerPairs } from '../platform-headers.ts'
import { joinBytes } from './join-bytes.ts'
import { giveUp, idle, joinRealtime, revoked, timedOut } from './realtime.ts'

/** A WebSocket that has a slot, on its way to the app. */
export interface Passing {
  readonly upgrade: Upgrade
  readonly slot: Slot
  readonly use: Pick<Use, 'answered'>
  readonly path: string
  readonly headers: HeaderPairs
  /** Its caller, who waits. */
  readonly patience: Patience
  /** Aborts when the caller leaves while it waits, when all has lasted long enough, and with `ends`. */
  readonly signal: AbortSignal
  /** Aborts when the caller's key counts no more; absent without one. */
  readonly ends: AbortSignal | undefined
  readonly limits: Pick<GatewayLimits, 'socketMessageBytes' | 'socketIdleMs'>
}

/** Why a runner could not be reached; undefined when it could, and all is over. */
type Trouble = 'refused' | 'connection_error' | undefined

/** What became of a WebSocket. When it is open it goes on by itself: what brought it about is not kept for it. */
export interface Passed {
  readonly trouble?: Trouble
  readonly over?: Promise<unknown>
}

/** Joins the two connections byte by byte. Their messages are not looked at, so nothing but their silence is limited. */
export async function passBytes(passing: Passing): Promise<Passed> {
  const { upgrade, slot, path, headers, patience, signal, limits } = passing
  const { req, socket } = upgrade
  const reply = await offerUpgrade(slot.address, { method: req.method ?? 'GET', path, headers }, signal)
  if (reply.kind === 'failed') return reply
  const head = patience.end()
  if (reply.kind === 'refused') return await passRefusal(reply.answer, passing)
  const { runner, early, answer } = reply
  socket.write(answerHead(answer, passing, [upgraded, ['upgrade', 'websocket']]))
  socket.write(early)
  runner.write(head)
  whenIdle(runner, limits.socketIdleMs, () => runner.destroy())
  signal.addEventListener('abort', () => runner.destroy(), { once: true })
  return { over: joinBytes(socket, runner) }
}

/** Joins a caller and an app that speaks msgpack message by message. */
export async function passMessages(passing: Passing, buffering: number | undefined): Promise<Passed> {
  const { upgrade, slot, path, headers, patience, signal, ends, limits } = passing
  const { socketMessageBytes: messageBytes, socketIdleMs } = limits
  const { encode } = await import('@msgpack/msgpack')
  const dialled = await dial(slot.address, { path, headers, messageBytes }, signal)
  if (dialled.kind === 'failed') return dialled
  const head = patience.end()
  if (dialled.kind === 'refused') return await passRefusal(dialled.answer, passing)
  const { app, answer } = dialled
  const protocol = app.protocol === '' ? {} : { protocol: app.protocol }
  const shown = headersOf(answer, passing).filter(([name]) => !name.startsWith('sec-websocket-'))
  const acceptance = { messageBytes, headers: shown, answersPings: false, ...protocol }
  const client = await acceptSocket({ ...upgrade, head }, acceptance).catch((error: unknown) => {
    app.terminate()
    throw error
  })
  whenIdle(upgrade.socket, socketIdleMs, () => giveUp({ client, app }, idle))
  signal.addEventListener('abort', () => giveUp({ client, app }, ends?.aborted === true ? revoked : timedOut), {
    once: true,
  })
  return { over: joinRealtime({ client, app }, { buffering, encode }) }
}

const upgraded = ['connection', 'Upgrade'] as const

/** Resolves when it is over, however it ended: nobody could be told any more. */
async function passRefusal(answer: IncomingMessage, passing: Passing): Promise<Passed> {
  const { upgrade, signal } = passing
  upgrade.socket.write(answerHead(answer, passing, [['connection', 'close']]))
  await pipeline(answer, upgrade.socket, { signal }).catch(() => {})
  return {}
}

function answerHead(answer: IncomingMessage, passing: Passing, ours: HeaderPairs): Buffer {
  return headOf(answer.statusCode ?? 502, [...headersOf(answer, passing), ...ours])
}

function headersOf(answer: IncomingMessage, { upgrade: { requestId }, slot: { runnerId }, use }: Passing): HeaderPairs {
  const headers = headerPairs(answer.rawHeaders)
  use.answered(headers)
  return headersToCaller(headers, { status: answer.statusCode ?? 502, requestId, runnerId })
}

/** The start of an answer, in Latin-1 as HTTP headers are. */
export function headOf(status: number, headers: HeaderPairs): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${lines}\r\n`, 'latin1')
}
