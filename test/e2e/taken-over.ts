import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { root, type Carrick } from './carrick.ts'

/** What clients name in their code, and what they fall back to. A server that stands in for them has them as `CARRICK_NAME`. */
export const vendorNames = [
  'rest.fal.ai',
  'v3.fal.media',
  'fal.run',
  'queue.fal.run',
  'falrun.com',
  'queue.falrun.com',
] as const

/** Whether a program can be given a network and a hosts file of its own here. */
export const mayTakeOver = spawnSync('unshare', ['-n', '-m', 'ip', 'link', 'set', 'lo', 'up']).status === 0

const setUp = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'

/**
 * Runs a program in a network of its own, with a hosts file of its own, in which the vendor's names lead to this server, as its
 * own address does, and answers what it printed as JSON.
 */
export async function inTakenOverNetwork<T>(carrick: Carrick, program: readonly string[]): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-taken-over-'))
  const socket = join(folder, 'door')
  const { port } = new URL(carrick.url)
  const door = createServer((inner) => {
    const outer = connect(Number(port), '127.0.0.1')
    void Promise.all([pipeline(inner, outer), pipeline(outer, inner)]).catch(() => {})
  })
  await once(door.listen(socket), 'listening')
  try {
    const hosts = join(folder, 'hosts')
    await writeFile(hosts, `127.0.0.1 localhost ${vendorNames.join(' ')}\n`)
    const forward = [process.execPath, join(root, 'test/e2e/clients/taken-over.ts'), `443,${port}`, socket]
    const args = ['-n', '-m', 'sh', '-c', setUp, 'sh', hosts, ...forward, ...program]
    const { FAL_KEY = '', SSL_CERT_FILE = '' } = carrick.variables
    const { PATH = '' } = process.env
    const env = { PATH, FAL_KEY, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS: SSL_CERT_FILE }
    const { stdout } = await promisify(execFile)('unshare', args, { env })
    return JSON.parse(stdout) as T
  } finally {
    door.close()
    await rm(folder, { recursive: true, force: true })
  }
}
