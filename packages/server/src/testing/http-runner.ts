import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Address } from '../domain/runner.ts'

/** A server on a free port of loopback, gone with its test. */
export async function listening(server: Server): Promise<Address> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not an address')
  return { host: '127.0.0.1', port: address.port }
}

/** A runner that speaks HTTP. */
export async function httpRunner(handle: RequestListener): Promise<Address> {
  const server = createServer(handle)
  onTestFinished(() => server.closeAllConnections())
  return await listening(server)
}

/** A runner that speaks bytes, not HTTP. */
export const rawRunner = (handle: (socket: Socket) => void): Promise<Address> =>
  listening(createTcpServer((socket) => handle(socket.on('error', () => {}))))
