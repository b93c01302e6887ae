import { createClient, type Client } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import type { Carrick } from '../test/e2e/carrick.ts'

/** What the stock command speaks to, without the command: that takes a second of CPU to start, which is another machine's in life. */
export function controllerOf(carrick: Carrick): Client<typeof IsolateController> {
  const [id = '', secret = ''] = (carrick.variables['FAL_KEY'] ?? '').split(':')
  const transport = createGrpcTransport({
    baseUrl: carrick.url.replace('https://localhost', 'http://127.0.0.1'),
    interceptors: [
      (next) => (request) => {
        request.header.set('auth-key-id', id)
        request.header.set('auth-key', secret)
        return next(request)
      },
    ],
  })
  return createClient(IsolateController, transport)
}
