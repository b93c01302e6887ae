import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureCertificates } from '../../../packages/server/src/front/certificates.ts'
import { root, until } from '../carrick.ts'

/** The ACME server that the people of Let's Encrypt test clients with. `.ci/run` installs it. */
const program = join(root, '.cache', 'tools', 'pebble')
export const isThere = existsSync(program)

/** An account that it asks for: external account binding. */
export const account = { id: 'kid-1', key: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' }

export interface Pebble extends AsyncDisposable {
  readonly directory: string
  /** The CA of its own https, PEM. */
  readonly caPem: string
  /** The root of the certificates that it gives, PEM. */
  root(): Promise<string>
}

interface Options {
  readonly folder: string
  readonly ports: { readonly acme: number; readonly management: number; readonly http: number; readonly tls: number }
  /** How long its certificates are good. */
  readonly validSeconds: number
  /** The hosts file that it looks names up in. */
  readonly hosts: string
}

/** Starts it. It connects to the names it checks on the given ports instead of 80 and 443. */
export async function startPebble({ folder, ports, validSeconds, hosts }: Options): Promise<Pebble> {
  const own = await ensureCertificates({ folder: join(folder, 'tls'), names: [], now: Date.now() })
  await writeFile(join(folder, 'hosts'), hosts)
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${ports.acme}`,
      managementListenAddress: `127.0.0.1:${ports.management}`,
      certificate: join(folder, 'tls', 'server.pem'),
      privateKey: join(folder, 'tls', 'server.key.pem'),
      httpPort: ports.http,
      tlsPort: ports.tls,
      externalAccountBindingRequired: true,
      externalAccountMACKeys: { [account.id]: account.key },
      retryAfter: { authz: 1, order: 1 },
      keyAlgorithm: 'ecdsa',
      profiles: { default: { description: 'short', validityPeriod: validSeconds } },
    },
  }
  await writeFile(join(folder, 'pebble.json'), JSON.stringify(config))
  const bound = 'mount --bind "$1" /etc/hosts && exec "$2" -config "$3"'
  const args = ['--mount', 'sh', '-c', bound, 'sh', join(folder, 'hosts'), program, join(folder, 'pebble.json')]
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' }
  const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
  await until(() => /Listening on/.test(said) || child.exitCode !== null, 'pebble')
  if (child.exitCode !== null) throw new Error(`pebble ended: ${said}`)

  return {
    directory: `https://localhost:${ports.acme}/dir`,
    caPem: own.caPem,
    async root() {
      const { get } = await import('node:https')
      const { text } = await import('node:stream/consumers')
      const asked = get(`https://localhost:${ports.management}/roots/0`, { ca: own.caPem, family: 4 })
      const [response] = await once(asked, 'response')
      return text(response)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
