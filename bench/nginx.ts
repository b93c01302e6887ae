import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../packages/server/src/testing/free-port.ts'

export interface Nginx extends AsyncDisposable {
  /** Serves files of the sizes that were asked for, as `/bytes/N`, and the layer, if one was named, as `/layer`. */
  readonly files: number
  /** Hands on what it gets, unbuffered, over connections that it keeps: `/bytes/…` to the files, the rest to the app. */
  readonly proxy: number
}

/** Two servers of one worker each, one behind the other, and the app's port or address; undefined where there is no nginx. */
export async function startNginx(
  sizes: readonly number[],
  app: number | string,
  layer = '/dev/null',
): Promise<Nginx | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-nginx-'))
  const [files, proxy] = [await freePort(), await freePort()]
  const behind = typeof app === 'number' ? `127.0.0.1:${app}` : app
  for (const size of sizes) {
    await writeFile(join(folder, String(size)), '')
    await truncate(join(folder, String(size)), size)
  }
  const servers = [
    await run(
      folder,
      'files',
      `server { listen 127.0.0.1:${files}; location /bytes/ { alias ${folder}/; } location = /layer { alias ${layer}; } }`,
    ),
    await run(
      folder,
      'proxy',
      `upstream files { server 127.0.0.1:${files}; keepalive 256; }
       upstream app { server ${behind}; keepalive 256; }
       server { listen 127.0.0.1:${proxy};
         proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
         location /bytes/ { proxy_pass http://files; } location / { proxy_pass http://app; } }`,
    ),
  ]
  if (servers.includes(undefined)) return undefined
  return {
    files,
    proxy,
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server?.kill('SIGTERM')
        if (server?.exitCode === null) await once(server, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function run(folder: string, name: string, http: string) {
  const file = join(folder, `${name}.conf`)
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  )
  await writeFile(
    file,
    `daemon off; user root; worker_processes 1; pid ${folder}/${name}.pid; error_log stderr crit;
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 1000000; sendfile on; tcp_nodelay on; ${places.join(' ')} ${http} }`,
  )
  const server = spawn('nginx', ['-e', 'stderr', '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] })
  return await Promise.race([once(server, 'spawn').then(() => server), once(server, 'error').then(() => undefined)])
}
