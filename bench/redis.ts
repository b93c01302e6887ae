import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepts } from '../packages/server/src/scheduler/probe.ts'
import { freePort } from '../packages/server/src/testing/free-port.ts'
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
  await until(() => accepts({ host: '127.0.0.1', port }), 'Redis')
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
