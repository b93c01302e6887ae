import type { RawData, WebSocket } from 'ws'
import { callableApp, callerByToken } from '../access.ts'
import { acceptSocket, closeSoon, whenIdle } from './accept-socket.ts'
import { disconnected } from '../body.ts'
import type { SocketDeps } from '../deps.ts'
import { answerInSession } from './session-call.ts'
import type { Target } from '../target.ts'
import type { Upgrade } from './handshake.ts'

const closing = { idle: 1000, goingAway: 1001, unsupported: 1003, tooMuch: 1008 } as const

/** Callers send the next request when they have the answer to the last one. */
const mostWaiting = 100

/**
 * Calls one after the other over one WebSocket, as `fal.apps.ws` makes them: each text message is the JSON body of a
 * POST, answered by a `start` message, the body in pieces, and an `end` message. Each is checked, and takes a slot, as
 * if it had come alone: an open session without a call in it holds nothing.
 */
export async function serveSession(deps: SocketDeps, upgrade: Upgrade, target: Target): Promise<void> {
  callableApp(deps.apps, await callerByToken(upgrade.req, deps, target), target.alias)
  const { socketMessageBytes: messageBytes, socketIdleMs } = deps.limits
  const headers = [['x-fal-request-id', upgrade.requestId]] as const
  const socket = await acceptSocket(upgrade, { messageBytes, headers, answersPings: true })
  const session = new Session(deps, upgrade, { socket, target })
  whenIdle(upgrade.socket, socketIdleMs, () => session.rest())
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.resume()
  await closed
  await session.over()
}

class Session {
  readonly #deps: SocketDeps
  readonly #upgrade: Upgrade
  readonly #socket: WebSocket
  readonly #target: Target
  readonly #gone = new AbortController()
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #work: Promise<void> | undefined

  constructor(deps: SocketDeps, upgrade: Upgrade, { socket, target }: { socket: WebSocket; target: Target }) {
    this.#deps = deps
    this.#upgrade = upgrade
    this.#socket = socket
    this.#target = target
    const leave = () => this.#leaveIfIdle()
    deps.draining.addEventListener('abort', leave)
    socket.on('message', (data, isBinary) => this.#take(data, isBinary))
    socket.once('close', () => {
      deps.draining.removeEventListener('abort', leave)
      this.#gone.abort(disconnected())
    })
  }

  /** Called when nothing has come or gone for a while: a call that is under way may take its time. */
  rest(): void {
    if (this.#work === undefined) closeSoon(this.#socket, closing.idle, 'nothing was sent for a long time')
  }

  /** Resolves when the call that was under way has ended. */
  async over(): Promise<void> {
    await this.#work
  }

  #take(data: RawData, isBinary: boolean): void {
    if (isBinary || !Buffer.isBuffer(data)) {
      return closeSoon(this.#socket, closing.unsupported, 'send each request as JSON text')
    }
    this.#waiting.push(data)
    this.#waitingBytes += data.length
    if (this.#waiting.length > mostWaiting || this.#waitingBytes > this.#deps.limits.socketMessageBytes) {
      this.#waiting.length = 0
      return closeSoon(this.#socket, closing.tooMuch, 'too many requests wait in this session; send one at a time')
    }
    this.#work ??= this.#answerAll().finally(() => {
      this.#work = undefined
      if (this.#deps.draining.aborted) this.#leaveIfIdle()
    })
  }

  async #answerAll(): Promise<void> {
    const deps = this.#deps
    const session = { req: this.#upgrade.req, socket: this.#socket, target: this.#target, gone: this.#gone.signal }
    for (let body = this.#waiting.shift(); body !== undefined; body = this.#waiting.shift()) {
      this.#waitingBytes -= body.length
      if (!this.#gone.signal.aborted) await answerInSession(deps, session, body)
    }
  }

  #leaveIfIdle(): void {
    if (this.#work === undefined) closeSoon(this.#socket, closing.goingAway, 'this server is shutting down; reconnect')
  }
}
