import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { createPorts } from './ports.ts'

test('ports taken at the same time differ, and a server can listen on each', async () => {
  const ports = await createPorts()
  const taken = await Promise.all(Array.from({ length: 50 }, () => ports.take()))
  expect(new Set(taken).size).toBe(50)
  for (const port of taken) {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  }
})
