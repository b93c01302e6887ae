import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http2'
import type { Duplex } from 'node:stream'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Auth } from '@carrick/protocol/gen/buildkit_auth_pb.js'
import { Secrets } from '@carrick/protocol/gen/buildkit_secrets_pb.js'
import { Health, HealthCheckResponse_ServingStatus } from '@carrick/protocol/gen/grpc_health_pb.js'
import type Docker from 'dockerode'
import type { RegistryCredentials } from '../builder.ts'
import { connectionOf } from './engine-calls.ts'
import { credentialsFor } from './registries.ts'

/** What BuildKit may ask for while it builds. It is in no layer, in no history and in no log. */
export interface Confidences {
  /** What RUN instructions mount, by id. */
  readonly secrets: ReadonlyMap<string, string | Uint8Array>
  /** By whom images are pulled, by host of their registry. */
  readonly registries: Readonly<Record<string, RegistryCredentials>>
}

export interface BuildSession extends Disposable {
  readonly id: string
}

const methods = [
  '/moby.filesync.v1.Auth/Credentials',
  '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  '/grpc.health.v1.Health/Check',
]

/**
 * Opens a session: a connection to the engine over which BuildKit calls back. A build that names it ends with it.
 * The caller closes it when the build has ended.
 */
export async function openSession(engine: Docker, confidences: Confidences): Promise<BuildSession> {
  const id = randomUUID()
  const socket = await connectionOf(engine, {
    path: '/session',
    method: 'POST',
    hijack: true,
    headers: {
      Upgrade: 'h2c',
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'carrick',
      'X-Docker-Expose-Session-Grpc-Method': methods,
    },
  })
  serveOn(socket, confidences)
  return { id, [Symbol.dispose]: () => socket.destroy() }
}

/** The engine is the client from here on, although we called it. */
function serveOn(socket: Duplex, { secrets, registries }: Confidences): void {
  const serve = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    routes: (router) =>
      router
        .service(Health, { check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }) })
        .service(Auth, {
          credentials: ({ host }) => {
            const { username = '', password: secret = '' } = credentialsFor(host, registries) ?? {}
            return { username, secret }
          },
        })
        .service(Secrets, {
          getSecret: ({ id }) => {
            const value = secrets.get(id)
            if (value === undefined) throw new ConnectError(`secret ${id} not found`, Code.NotFound)
            return { data: typeof value === 'string' ? Buffer.from(value) : value }
          },
        }),
  })
  const server = createServer(serve)
  socket.on('error', () => {}) // the build's own answer says what happened
  server.on('sessionError', () => {})
  server.emit('connection', socket)
}
