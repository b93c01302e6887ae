import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Logger } from '../kit/logger.ts'
import type { Rejection } from '../kit/rejections.ts'
import type { Door } from './door.ts'
import type { Challenges } from './challenges.ts'
import { chosenOf, offersProof, spokenBy, type Spoken } from './greeting.ts'
import type { Identities } from './identities.ts'

export interface FrontOptions {
  readonly tls: Identities
  /** The proofs of names that are given here. */
  readonly challenges?: Pick<Challenges, 'expectsTls' | 'contextFor'>
  readonly doors: { readonly http: Door; readonly grpc: Door }
  readonly limits?: Partial<FrontLimits>
  readonly onRejected?: (reason: Rejection) => void
  readonly log: Logger
}

export interface FrontLimits {
  /** Most connections at a time; one more is closed at once. */
  readonly connections: number
  /** How long a connection may take until its first bytes say what it speaks. */
  readonly greetingMs: number
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number
}

/** One port for plaintext gRPC, TLS gRPC, HTTP/1.1, HTTPS and WebSocket, told apart by the first bytes. */
export interface Front {
  /** With `through` it is that which listens already, in whichever network. */
  listen(at: { host: string; port: number; through?: Server | undefined }): Promise<{ host: string; port: number }>
  /** Connections that are open now. */
  readonly connections: number
  /** Stops accepting and drains the doors; what is left after `graceMs` is cut. */
  close({ graceMs }: { graceMs: number }): Promise<void>
}

const defaults: FrontLimits = { connections: 10_000, greetingMs: 10_000, handshakeMs: 10_000 }
const ignore = () => {}

export function createFront({ tls, challenges, doors, log, onRejected = ignore, ...options }: FrontOptions): Front {
  const limits = { ...defaults, ...options.limits }
  const open = new Set<Socket>()
  const undecided = new Set<Socket>()
  const opener = createOpener(tls, limits.handshakeMs, doors, () => onRejected('tls'))
  const prover = createProver((name) => challenges?.contextFor(name), limits.handshakeMs)
  const handOver: Record<Spoken | 'proof', (socket: Socket) => void> = {
    tls: (socket) => opener.emit('connection', socket),
    proof: (socket) => prover.emit('connection', socket),
    grpc: (socket) => doors.grpc.connect(socket, false),
    http: (socket) => doors.http.connect(socket, false),
  }

  const tell = (first: Buffer) => {
    const spoken = spokenBy(first)
    if (spoken !== 'tls' || challenges?.expectsTls !== true) return spoken
    const isProof = offersProof(first)
    return isProof === true ? 'proof' : isProof === false ? 'tls' : undefined
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
    open.add(socket)
    undecided.add(socket)
    // A reset at any moment is an ordinary end: whoever holds the socket sees its 'close'.
    socket.on('error', ignore)
    socket.once('close', () => (open.delete(socket), undecided.delete(socket)))
    awaitGreeting(
      socket,
      { tell, withinMs: limits.greetingMs, late: () => onRejected('silent') },
      (spoken) => (undecided.delete(socket), handOver[spoken](socket)),
    )
  })
  server.maxConnections = limits.connections
  const warn = atMostEachMinute(() =>
    log.warn({ limit: limits.connections }, 'connections refused: the limit is reached'),
  )
  server.on('drop', () => (onRejected('too_many_connections'), warn()))

  return {
    get connections() {
      return open.size
    },
    async listen({ host, port, through }) {
      server.listen(through ?? { host, port })
      await once(server, 'listening').catch((cause: unknown) => {
        throw new Error(`cannot listen on ${host}:${port}: ${reasonOf(cause)}`, { cause })
      })
      server.on('error', (error) => log.error({ err: error }, 'a connection could not be accepted'))
      const bound = server.address() as AddressInfo
      return { host: bound.address, port: bound.port }
    },
    async close({ graceMs }) {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of undecided) socket.destroy()
      for (const door of [doors.http, doors.grpc]) door.drain()
      const cut = setTimeout(() => open.forEach((socket) => socket.destroy()), graceMs)
      await closed
      clearTimeout(cut)
    },
  }
}

/** Opens TLS connections and hands what is inside to the doors. It never listens: connections are given to it. */
function createOpener(tls: Identities, handshakeTimeout: number, doors: FrontOptions['doors'], onFailure: () => void) {
  const opener = createTlsServer({
    key: tls.local.keyPem,
    cert: tls.local.certPem,
    handshakeTimeout,
    SNICallback: (servername, done) => done(null, tls.contextFor(servername)),
    ALPNCallback: ({ protocols }) => chosenOf(protocols),
  })
  opener.on('secureConnection', (socket) => {
    socket.on('error', ignore)
    const door = socket.alpnProtocol === 'h2' ? doors.grpc : doors.http
    door.connect(socket, true)
  })
  opener.on('tlsClientError', (error, socket) => {
    if (!isDeparture(error)) onFailure()
    socket.destroy()
  })
  return opener
}

/** Shows the certificate that proves a name, and ends the connection: nothing is said on it (RFC 8737). */
function createProver(contextFor: Challenges['contextFor'], handshakeTimeout: number) {
  const prover = createTlsServer({
    handshakeTimeout,
    SNICallback: (servername, done) => {
      const context = contextFor(servername)
      if (context === undefined) done(new Error('no proof of this name is given now'))
      else done(null, context)
    },
    ALPNProtocols: ['acme-tls/1'],
  })
  prover.on('secureConnection', (socket) => socket.on('error', ignore).resume().end())
  prover.on('tlsClientError', (_error, socket) => socket.destroy())
  return prover
}

/** Whether a client has gone, or resets what it began: that is no fault of what it sent. */
function isDeparture(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

interface Greeting<Told> {
  readonly withinMs: number
  readonly tell: (first: Buffer) => Told | undefined
  readonly late: () => void
}

/** Reads until the first bytes `tell` what is spoken, puts them back, and calls `then`. Too slow a connection is cut. */
function awaitGreeting<Told>(
  socket: Socket,
  { withinMs, tell, late }: Greeting<Told>,
  then: (told: Told) => void,
): void {
  let seen: Buffer = Buffer.alloc(0)
  const cut = () => socket.destroy()
  const deadline = setTimeout(() => (late(), cut()), withinMs)
  const look = () => {
    const bytes: Buffer | null = socket.read()
    if (bytes !== null) seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes])
    const told = tell(seen)
    if (told === undefined) return
    release()
    socket.unshift(seen)
    then(told)
  }
  const release = () => {
    clearTimeout(deadline)
    socket.off('readable', look).off('end', cut).off('close', release)
  }
  socket.on('readable', look).on('end', cut).on('close', release)
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE') return 'the port is taken; choose another with --port, or 0 for a free one'
  if (code === 'EACCES') return 'the port needs more rights than this user has; choose one above 1023 with --port'
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address; choose another with --host'
  return cause instanceof Error ? cause.message : String(cause)
}

function atMostEachMinute(say: () => void): () => void {
  let said = false
  return () => {
    if (said) return
    said = true
    say()
    setTimeout(() => (said = false), 60_000).unref()
  }
}
