import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { HostedRunStatus_State, IsolateController } from '@carrick/protocol/gen/controller_pb.js'

/** A server that takes every deploy and does nothing: what a deploy takes with it is the client's own time. */
export async function startInstantServer(): Promise<{ host: string; close: () => void }> {
  const serve = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    routes: (router) =>
      router.service(IsolateController, {
        listAliases: () => ({ aliases: [] }),
        async *buildEnvironment() {
          yield { envId: 'nothing', status: { state: HostedRunStatus_State.SUCCESS } }
        },
        async *registerApplication() {
          const [playground, run, queue, ws, log] = Array.from({ length: 5 }, () => 'http://localhost')
          yield { result: { applicationId: 'nothing' }, serviceUrls: { playground, run, queue, ws, log } }
        },
      }),
  })
  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, close: () => void server.close() }
}
