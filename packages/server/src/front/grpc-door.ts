import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Rejection } from '../kit/rejections.ts'
import type { Door } from './door.ts'

export interface GrpcLimits {
  /** How long a connection may take until its HTTP/2 settings have arrived. */
  readonly prefaceMs: number
  /** How long a connection may stand still without so much as a ping, unless it waits for an answer of ours. */
  readonly idleMs: number
  readonly streamsPerConnection: number
}

export interface GrpcDoorOptions extends GrpcLimits {
  readonly onRejected: (reason: Rejection) => void
}

export type GrpcListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void

const defaults: GrpcDoorOptions = {
  prefaceMs: 10_000,
  idleMs: 300_000,
  streamsPerConnection: 256,
  onRejected: () => {},
}

/** A pickle of megabytes arrives without waiting for a window to be opened at every 64 KiB. */
const streamWindow = 4 * 1024 * 1024
const connectionWindow = 16 * 1024 * 1024
const ignore = () => {}

/** HTTP/2, which is how gRPC travels. Clients may ping as often as they like. */
export function createGrpcDoor(handler: GrpcListener, options: Partial<GrpcDoorOptions> = {}): Door {
  const limits = { ...defaults, ...options }
  const sessions = new Set<ServerHttp2Session>()
  let draining = false
  const server = createServer(
    {
      maxSessionMemory: 128, // MiB per connection: many large messages at a time
      settings: { initialWindowSize: streamWindow, maxConcurrentStreams: limits.streamsPerConnection },
    },
    (request, response) => {
      request.on('error', ignore) // a stream that a client resets: its 'aborted' and 'close' tell the handler
      // One that is reset in the packet that opens it is gone by now, and answering it would throw.
      if (!request.stream.destroyed) handler(request, response)
    },
  )
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.setLocalWindowSize(connectionWindow)
    requirePreface(session, limits.prefaceMs, () => limits.onRejected('http2'))
    endWhenIdle(session, limits.idleMs)
    if (draining) session.close()
  })
  // The session is destroyed, and its streams with it. Node itself ends one whose streams are reset too often.
  server.on('sessionError', (error) => void (isDeparture(error) || limits.onRejected('http2')))

  return {
    connect: (socket) => {
      // A client that died sends its last packet and nothing else: no answer of ours can reach it any more.
      socket.once('end', () => socket.destroy())
      server.emit('connection', socket)
    },
    drain: () => ((draining = true), sessions.forEach((session) => session.close())),
  }
}

function isDeparture(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

function requirePreface(session: ServerHttp2Session, withinMs: number, late: () => void): void {
  const deadline = setTimeout(() => (late(), session.destroy()), withinMs)
  const met = () => clearTimeout(deadline)
  session.once('remoteSettings', met).once('close', met)
}

function endWhenIdle(session: ServerHttp2Session, idleMs: number): void {
  const streams = new Set<ServerHttp2Stream>()
  session.on('stream', (stream) => {
    streams.add(stream)
    stream.once('close', () => streams.delete(stream))
  })
  session.setTimeout(idleMs, () => {
    if (streams.size === 0) session.close()
    else if ([...streams].some((stream) => !stream.readableEnded)) session.destroy()
  })
}
