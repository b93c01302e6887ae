import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../test/e2e/carrick.ts'

/** A Redis of our own on loopback that syncs every write before it answers; undefined where there is none. */
export async function startRedis(): Promise<({ readonly port: number } & AsyncDisposable) | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-redis-'))
  const port = await freePort()
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']
  const server = spawn('redis-server', [...args, ...durable], { stdio: 'ignore' })
  const begun = await Promise.race([once(server, 'spawn').then(() => true), once(server, 'error').then(() => false)])
  if (!begun) return undefined
  await until(() => accepts(port), 'Redis')
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => (socket.destroy(), resolve(true))).on('error', () => resolve(false))
  })
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
