import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:net'
import { root, until } from '../carrick.ts'

/** Why there is no nginx here, or undefined. */
export function missing(): string | undefined {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no nginx on this machine: apt-get install nginx-light'
  }
}

interface Options {
  readonly folder: string
  readonly port: number
  /** Where Carrick listens. */
  readonly upstream: string
  readonly cert: string
  readonly key: string
}

/** Runs nginx with the configuration of docs/guides/reverse-proxy.md. */
export async function startNginx({ folder, port, upstream, cert, key }: Options): Promise<AsyncDisposable> {
  const guide = await readFile(join(root, 'docs', 'guides', 'reverse-proxy.md'), 'utf8')
  const [, written = ''] = /```nginx\n([^]*?)```/.exec(guide) ?? []
  const server = written
    .replaceAll('server 127.0.0.1:8700;', `server ${upstream};`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('server_name fal.example.com', 'server_name localhost')
    .replace('/etc/ssl/fal.example.com.pem', cert)
    .replace('/etc/ssl/fal.example.com.key', key)
  await mkdir(folder, { recursive: true })
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  const config = `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
user ${process.getuid?.() === 0 ? 'root' : 'nobody'};
events { worker_connections 256; }
http { access_log off; ${places.join(' ')}\n${server}}\n`
  await writeFile(join(folder, 'nginx.conf'), config)
  const child = spawn('nginx', ['-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')], {
    stdio: 'inherit',
  })
  await until(async () => child.exitCode !== null || (await isOpen(port)), 'nginx')
  if (child.exitCode !== null) throw new Error(`nginx ended: ${await readFile(join(folder, 'error.log'), 'utf8')}`)
  return {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => (socket.destroy(), resolve(true))).on('error', () => resolve(false))
  })
}
