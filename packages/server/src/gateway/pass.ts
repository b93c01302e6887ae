import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { headersToCaller } from '../calls/headers.ts'
import type { HeaderPairs } from '../domain/request.ts'
import type { Slot } from '../home/home.ts'
import { acceptSocket, whenIdle } from './accept-socket.ts'
import { reasonPhrase } from './answers.ts'
import type { GatewayLimits } from './deps.ts'
import { dial } from './dial.ts'
import { offerUpgrade } from './handshake.ts'
import type { Patience } from './patience.ts'
import { headerPairs } from './platform-headers.ts'
import { giveUp, idle, joinRealtime, timedOut } from './realtime.ts'
import type { Upgrade } from './upgrade.ts'

/** A WebSocket that has a slot, on its way to the app. */
export interface Passing {
  readonly upgrade: Upgrade
  readonly slot: Slot
  readonly path: string
  readonly headers: HeaderPairs
  /** Its caller, who waits. */
  readonly patience: Patience
  /** Aborts when it has lasted long enough. */
  readonly limit: AbortSignal
  readonly limits: Pick<GatewayLimits, 'socketMessageBytes' | 'socketIdleMs'>
}

/** Why a runner could not be reached; undefined when it could, and all is over. */
type Trouble = 'refused' | 'connection_error' | undefined

/** Joins the two connections byte by byte. Their messages are not looked at, so nothing but their silence is limited. */
export async function passBytes({ upgrade, slot, path, headers, patience, ...passing }: Passing): Promise<Trouble> {
  const { req, socket } = upgrade
  const signal = AbortSignal.any([patience.gone, passing.limit])
  const reply = await offerUpgrade(slot.address, { method: req.method ?? 'GET', path, headers }, signal)
  if (reply.kind === 'failed') return reply.trouble
  const head = patience.end()
  if (reply.kind === 'refused') return await passRefusal(reply.answer, upgrade, slot, signal)
  const { runner, early, answer } = reply
  for (const end of [socket, runner]) end.setMaxListeners(20) // two pipelines listen to each
  socket.write(answerHead(answer, upgrade, slot, [upgraded, ['upgrade', 'websocket']]))
  socket.write(early)
  runner.write(head)
  whenIdle(runner, passing.limits.socketIdleMs, () => runner.destroy())
  await Promise.allSettled([pipeline(socket, runner, { signal }), pipeline(runner, socket, { signal })])
  return undefined
}

/** Joins a caller and an app that speaks msgpack message by message. */
export async function passMessages(
  { upgrade, slot, path, headers, patience, limit, limits }: Passing,
  buffering: number | undefined,
): Promise<Trouble> {
  const { socketMessageBytes: messageBytes, socketIdleMs } = limits
  const signal = AbortSignal.any([patience.gone, limit])
  const dialled = await dial(slot.address, { path, headers, messageBytes }, signal)
  if (dialled.kind === 'failed') return dialled.trouble
  const head = patience.end()
  if (dialled.kind === 'refused') return await passRefusal(dialled.answer, upgrade, slot, signal)
  const { app, answer } = dialled
  try {
    const protocol = app.protocol === '' ? {} : { protocol: app.protocol }
    const shown = headersOf(answer, upgrade, slot).filter(([name]) => !name.startsWith('sec-websocket-'))
    const acceptance = { messageBytes, headers: shown, answersPings: false, ...protocol }
    const client = await acceptSocket({ ...upgrade, head }, acceptance)
    whenIdle(upgrade.socket, socketIdleMs, () => giveUp({ client, app }, idle))
    limit.addEventListener('abort', () => giveUp({ client, app }, timedOut), { once: true })
    await joinRealtime({ client, app }, buffering)
    return undefined
  } finally {
    app.terminate()
  }
}

const upgraded = ['connection', 'Upgrade'] as const

/** Resolves when it is over, however it ended: nobody could be told any more. */
async function passRefusal(answer: IncomingMessage, upgrade: Upgrade, slot: Slot, signal: AbortSignal) {
  const { socket } = upgrade
  socket.write(answerHead(answer, upgrade, slot, [['connection', 'close']]))
  await pipeline(answer, socket, { signal }).catch(() => {})
  return undefined
}

function answerHead(answer: IncomingMessage, upgrade: Upgrade, slot: Slot, ours: HeaderPairs): Buffer {
  return headOf(answer.statusCode ?? 502, [...headersOf(answer, upgrade, slot), ...ours])
}

function headersOf(answer: IncomingMessage, { requestId }: Upgrade, { runnerId }: Slot): HeaderPairs {
  return headersToCaller(headerPairs(answer.rawHeaders), { status: answer.statusCode ?? 502, requestId, runnerId })
}

/** The start of an answer, in Latin-1 as HTTP headers are. */
export function headOf(status: number, headers: HeaderPairs): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${lines}\r\n`, 'latin1')
}
