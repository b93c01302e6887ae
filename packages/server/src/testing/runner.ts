import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Address } from '../domain/runner.ts'

/** An HTTP server in the place of a runner, on a port of its own. */
export interface TestRunner extends AsyncDisposable {
  readonly address: Address
  readonly server: Server
}

export async function openTestRunner(
  handler: RequestListener,
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<TestRunner> {
  const server = createServer(handler)
  if (upgrade) server.on('upgrade', upgrade)
  const address = await listen(server)
  return { address, server, [Symbol.asyncDispose]: () => close(server) }
}

/** Listens on a free port of loopback. */
export async function listen(server: Server): Promise<Address> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has a port')
  return { host: '127.0.0.1', port: bound.port }
}

export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}

/** All of a body, as text. */
export async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
