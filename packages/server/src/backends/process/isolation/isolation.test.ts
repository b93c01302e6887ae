import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer, isIPv4 } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Address, Sighting } from '../../../domain/runner.ts'
import type { RunnerBackend, RunnerSpec } from '../../backend.ts'
import { isRunning, startInAnotherProcess } from '../../conformance.ts'
import { ownAddresses } from './own-addresses.ts'
import { openIsolated, isolatedBackend } from '../testing.ts'

const never = new AbortController().signal
const patience = { timeout: 20_000, interval: 20 }

let folder: string
let installation: string
let runners: RunnerBackend
let said: string[]

const probe = await openIsolated({
  folder: join(await realpath(await mkdtemp(join(tmpdir(), 'carrick-probe-'))), 'runners'),
  installation: `probe-${process.pid}`, // the tests of other files probe as well
})
await probe.close()
const whyNot = (part: string) => {
  const found = probe.confinement.find((each) => each.part === part)
  return found?.by === null ? (found.why ?? 'not here') : undefined
}
const notApart = whyNot('files')
const noNetwork = whyNot('network')

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'carrick-apart-')))
  installation = randomUUID()
  said = []
  runners = await openIsolated({ folder: join(folder, 'runners'), installation })
  runners.onOutput((line) => said.push(line.text))
  expect(runners.confinement).toEqual(probe.confinement)
})
afterEach(async () => {
  await runners.close()
  await rm(folder, { recursive: true, force: true })
})

const may = (program: string, ...args: string[]) => spawnSync(program, args).status === 0
const canUnshare = may('unshare', '-m', '-p', '-f', '-n', '-u', '-i', 'true')
const hasPasta = may('sh', '-c', 'command -v pasta')

test.skipIf(!canUnshare)(
  `what this machine lets runners have they have (${canUnshare ? 'here' : 'unshare is not allowed'})`,
  () => {
    expect(notApart).toBeUndefined()
    expect(noNetwork).toEqual(hasPasta ? undefined : expect.stringContaining('pasta'))
  },
)

const specOf = (program: string, more: Partial<RunnerSpec> = {}): RunnerSpec => ({
  id: randomUUID(),
  appId: 'app',
  revisionId: 'revision',
  accountId: 'account',
  command: ['/usr/bin/python3', '-c', program],
  variables: {},
  mounts: [],
  ...more,
})

const sightingOf = async (id: string) => (await runners.list(never)).get(id)

async function sighted<Kind extends Sighting['kind']>(id: string, kind: Kind) {
  await expect.poll(async () => (await sightingOf(id))?.kind, patience).toBe(kind)
  return (await sightingOf(id)) as Extract<Sighting, { kind: Kind }>
}

/** All that a runner says until its end, and how that came. */
async function run(program: string, more?: Partial<RunnerSpec>) {
  const spec = specOf(program, more)
  await runners.start(spec, never)
  const { exit } = await sighted(spec.id, 'exited')
  return { exit, said, id: spec.id }
}

const serving = `
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(answer().encode())
    def log_message(self, *_): pass
def serve(): http.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), Handler).serve_forever()`

const ask = async ({ host, port }: Address) => (await fetch(`http://${host}:${port}/`)).text()

test.skipIf(notApart)(
  `a runner sees its own processes, name and places, and nothing else of the platform (${notApart ?? 'here'})`,
  async () => {
    await mkdir(join(folder, 'secret'))
    await writeFile(join(folder, 'secret', 'key'), 'a key')
    await writeFile(join(folder, 'blob'), 'its code')
    await mkdir(join(folder, 'data'))
    const { exit, id } = await run(
      `
import os, socket, sys
print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))
print(socket.gethostname(), socket.gethostbyname(socket.gethostname()))
print(open('${folder}/blob').read(), os.listdir('${folder}'))
def tries(what):
    try: what(); return 'done'
    except OSError as error: return error.strerror
print([tries(lambda: open(path, 'w')) for path in ('/etc/mine', '/usr/mine', '/mine', '${folder}/mine', '${folder}/blob')])
print([tries(lambda: open(path, 'w')) for path in ('mine', '/tmp/mine', '/dev/shm/mine', '/data/mine')])
print(os.path.exists('${folder}/secret'), os.listdir('${folder}/runners'), os.listdir('/root' if os.getuid() == 0 else '/home'))
sys.exit(3)`,
      { sees: [join(folder, 'blob')], mounts: [{ from: join(folder, 'data'), to: '/data', readOnly: false }] },
    )
    const none = 'Read-only file system'
    expect([exit, ...said]).toEqual([
      { code: 3, signal: null },
      '[1, 2]',
      `${id} 127.0.0.1`,
      expect.stringMatching(/^its code \[(?:'blob', 'runners'|'runners', 'blob')\]$/),
      `['${none}', '${none}', '${none}', '${none}', '${none}']`,
      "['done', 'done', 'done', 'done']",
      `False ['${id}'] []`,
    ])
    await runners.forget(id)
    expect(await readFile(join(folder, 'data', 'mine'), 'utf8')).toBe('')
  },
)

test.skipIf(notApart)('it cannot get more rights than it has: no mount, no look at the memory of others', async () => {
  await run(`
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mount(b'none', b'/mnt', b'tmpfs', 0, None), libc.unshare(0x20000) if os.getuid() == 0 else -1)
print(os.access('/proc/sys/kernel/hostname', os.W_OK))
try: print(open('/proc/1/mem', 'rb'))
except OSError as error: print(error.strerror)`)
  expect(said).toEqual(['-1 -1', 'False', 'Permission denied'])
})

test.skipIf(notApart)('SIGTERM reaches the program, and how that ends is how the runner ended', async () => {
  const asked = specOf(`${serving}
def end(*_): print('asked', flush=True); os._exit(7)
signal.signal(signal.SIGTERM, end)
serve()`)
  await runners.start(asked, never)
  await sighted(asked.id, 'accepting')
  await runners.terminate(asked.id, never)
  expect((await sighted(asked.id, 'exited')).exit).toEqual({ code: 7, signal: null })
  expect(said).toEqual(['asked'])
  const unprepared = specOf(`${serving}\nserve()`)
  await runners.start(unprepared, never)
  await sighted(unprepared.id, 'accepting')
  await runners.terminate(unprepared.id, never)
  expect((await sighted(unprepared.id, 'exited')).exit).toEqual({ code: null, signal: 'SIGTERM' })
  expect((await run('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)')).exit).toEqual({
    code: null,
    signal: 'SIGSEGV',
  })
})

/** Processes of the machine that belong to this installation. */
async function left(): Promise<readonly number[]> {
  const { allWithEnvironment } = await import('../proc.ts')
  return (await allWithEnvironment())
    .filter(({ environment }) => environment.get('CARRICK_INSTALLATION') === installation)
    .map(({ pid }) => pid)
}

const relatives = `
import subprocess
subprocess.Popen(['/bin/sh', '-c', 'setsid env -i sleep 1000 & sleep 1000'])`

test.skipIf(notApart)(
  'with the program all goes that it started, also what left its session and shed every mark',
  async () => {
    const spec = specOf(`${serving}\n${relatives}
def answer(): return ' '.join(name for name in os.listdir('/proc') if name.isdigit())
serve()`)
    await runners.start(spec, never)
    const { address } = await sighted(spec.id, 'accepting')
    await expect.poll(() => ask(address).then((all) => all.split(' ').length), patience).toBe(5)
    expect((await left()).length).toBeGreaterThan(2)
    await runners.kill(spec.id, never)
    expect((await sighted(spec.id, 'exited')).exit).toEqual({ code: null, signal: 'SIGKILL' })
    expect(await left()).toEqual([])
  },
)

test.skipIf(notApart)('after a kill -9 of the server the next one finds it, and ends it', async () => {
  const spec = specOf(`${serving}\n${relatives}\nserve()`)
  const place = { folder: join(folder, 'runners'), installation }
  await startInAnotherProcess(isolatedBackend, place, spec)
  const before = await left()
  expect(before.filter(isRunning)).toEqual(before)
  const next = await openIsolated(place)
  expect([...(await next.list(never)).keys()]).toEqual([spec.id])
  await next.kill(spec.id, never)
  expect(await left()).toEqual([])
  await next.close()
})

test.skipIf(notApart)('a command beside it is among its processes and files, and has no more rights', async () => {
  const spec = specOf(`${serving}\nopen('/tmp/mark', 'w').write('inside')\nserve()`)
  await runners.start(spec, never)
  await sighted(spec.id, 'accepting')
  const script =
    'cat /tmp/mark; hostname; ls -d /proc/[0-9]* | wc -l; mount -t tmpfs none /mnt 2>/dev/null || echo refused; exit 4'
  await using session = await runners.exec(spec.id, { command: ['sh', '-c', script] }, never)
  const heard: string[] = []
  for await (const { data } of session.output) heard.push(Buffer.from(data).toString())
  const [mark, count = '', refused] = heard.join('').trim().split('\n')
  expect([mark, refused, await session.exitCode]).toEqual([`inside${spec.id}`, 'refused', 4])
  expect(Number(count)).toBeLessThan(8)
})

test.skipIf(notApart)('what a command leaves behind ends with it', async () => {
  const spec = specOf(`${serving}
def comm(pid):
    try: return open(f'/proc/{pid}/comm').read().strip()
    except OSError: return ''
def answer(): return str([comm(pid) for pid in os.listdir('/proc') if pid.isdigit()].count('sleep'))
serve()`)
  await runners.start(spec, never)
  const { address } = await sighted(spec.id, 'accepting')
  await using session = await runners.exec(
    spec.id,
    { command: ['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo begun'] },
    never,
  )
  for await (const _ of session.output);
  expect(await session.exitCode).toBe(0)
  await expect.poll(() => ask(address), patience).toBe('0')
})

test.skipIf(noNetwork)(
  `several that bind one fixed port run side by side, each reached at its own (${noNetwork ?? 'here'})`,
  async () => {
    const program = `${serving}
import threading, urllib.request
helper = http.server.HTTPServer(('0.0.0.0', 8188), Handler)
threading.Thread(target=helper.serve_forever, daemon=True).start()
def answer():
    if threading.current_thread() is threading.main_thread(): return urllib.request.urlopen('http://127.0.0.1:8188/').read().decode()
    return os.environ['CARRICK_RUNNER_ID']
serve()`
    const specs = [specOf(program), specOf(program), specOf(program)]
    await Promise.all(specs.map((spec) => runners.start(spec, never)))
    const answers = await Promise.all(specs.map(async ({ id }) => ask((await sighted(id, 'accepting')).address)))
    expect(answers).toEqual(specs.map(({ id }) => id))
  },
)

const ownPort = (port: number, more = '') => `${serving}
import socket, threading, urllib.request
def answer(): return os.environ['CARRICK_RUNNER_ID']
${more}
http.server.HTTPServer(('0.0.0.0', ${port}), Handler).serve_forever()`

test.skipIf(noNetwork).each([8080, 80])(
  'runners whose server binds port %i whatever they are told serve side by side, each reached at its own',
  async (exposedPort) => {
    const specs = Array.from({ length: 3 }, () => specOf(ownPort(exposedPort), { exposedPort }))
    await Promise.all(specs.map((spec) => runners.start(spec, never)))
    const addresses = await Promise.all(specs.map(async ({ id }) => (await sighted(id, 'accepting')).address))
    expect(await Promise.all(addresses.map(ask))).toEqual(specs.map(({ id }) => id))
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(3)
    expect(addresses.some(({ port }) => port === exposedPort)).toBe(false)
  },
)

test.skipIf(noNetwork)('inside, what binds such a port is found at it, also by what runs beside it', async () => {
  const calls = `
def look():
    while True:
        try: return print(urllib.request.urlopen('http://localhost:8080/').read().decode(), flush=True)
        except OSError: pass
threading.Thread(target=look, daemon=True).start()`
  const spec = specOf(ownPort(8080, calls), { exposedPort: 8080 })
  await runners.start(spec, never)
  await sighted(spec.id, 'accepting')
  await expect.poll(() => said, patience).toEqual([spec.id])
  const url = 'http://127.0.0.1:8080/'
  const program = `import urllib.request; print(urllib.request.urlopen('${url}').read().decode())`
  await using session = await runners.exec(spec.id, { command: ['/usr/bin/python3', '-c', program] }, never)
  const heard: string[] = []
  for await (const { data } of session.output) heard.push(Buffer.from(data).toString())
  expect(heard.join('').trim()).toBe(spec.id)
})

test.skipIf(noNetwork)('a server that listens for each family by itself gets both at such a port', async () => {
  const both = `
class Six(http.server.HTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()
threading.Thread(target=http.server.HTTPServer(('0.0.0.0', 8080), Handler).serve_forever, daemon=True).start()
Six(('::', 8080), Handler).serve_forever()`
  const spec = specOf(ownPort(8080, both), { exposedPort: 8080 })
  await runners.start(spec, never)
  expect(await ask((await sighted(spec.id, 'accepting')).address)).toBe(spec.id)
  expect(said).toEqual([])
})

test.skipIf(notApart)('of a runner that listens somewhere else than it should it can be told where', async () => {
  const spec = specOf(
    `${serving}\nprint('begun', flush=True)\nhttp.server.HTTPServer(('0.0.0.0', 5017), Handler).serve_forever()`,
    { exposedPort: 8080 },
  )
  await runners.start(spec, never)
  await expect.poll(() => said, patience).toEqual(['begun'])
  await expect.poll(() => runners.listening?.(spec.id), patience).toMatchObject([{ host: '0.0.0.0', port: 5017 }])
  await runners.kill(spec.id, never)
  expect(await runners.listening?.(spec.id)).toBeUndefined()
})

test.skipIf(noNetwork).for([
  ['a child of the program', `import subprocess\nsubprocess.run([sys.executable, '-c', serve_source])`],
  [
    'a server of both families',
    `Server.address_family = socket.AF_INET6\nServer(('::', port), Handler).serve_forever()`,
  ],
  [
    'a second server, after the first was closed',
    `Server(('127.0.0.1', port), Handler).server_close()\nServer(('127.0.0.1', port), Handler).serve_forever()`,
  ],
])('the port may be opened by %s', async ([, opens]) => {
  const spec = specOf(`${serving}
import socket
def answer(): return 'here'
port, Server = int(os.environ['PORT']), http.server.HTTPServer
serve_source = '''import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'here')
http.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), Handler).serve_forever()'''
${opens}`)
  await runners.start(spec, never)
  expect(await ask((await sighted(spec.id, 'accepting')).address)).toBe('here')
})

test.skipIf(noNetwork)('of the machine it reaches the runner ingress, of what is else there nothing', async () => {
  const hosts = ['127.0.0.1', ...ownAddresses().filter((address) => isIPv4(address))]
  const control = await Promise.all(
    hosts.map(async (host) => {
      const server = createServer((socket) => socket.end('control'))
      await once(server.listen(0, host), 'listening')
      return { server, host, port: (server.address() as { port: number }).port }
    }),
  )
  const other = specOf(`${serving}\nserve()`)
  await runners.start(other, never)
  const { address } = await sighted(other.id, 'accepting')
  const ingress = control[0]
  if (!ingress) throw new Error('no loopback')
  await using reaching = await (async () => {
    const backend = await openIsolated(
      { folder: join(folder, 'second'), installation },
      { ingress: { port: ingress.port, insteadOf: { port: 8700, names: ['carrick.example'] } } },
    )
    backend.onOutput(({ text: line }) => said.push(line))
    return Object.assign(backend, { [Symbol.asyncDispose]: () => backend.close() })
  })()
  const unreachable = [...control.slice(1), address, { host: '169.254.169.254', port: 80 }]
  const spec = specOf(
    `
import os, socket, time
while not os.path.getsize(os.environ['CARRICK_RUNNER_NETWORK']): time.sleep(0.01)
for host, port in [('127.0.0.1', ${ingress.port}), ('localhost', ${ingress.port}), ('carrick.example', 8700), ${unreachable.map(({ host, port }) => `('${host}', ${port})`).join(', ')}]:
    try: print(socket.create_connection((host, port), 5).recv(100).decode())
    except OSError as error: print('unreachable')`.replace(
      'while not os.path.getsize',
      'while not os.path.exists(os.environ["CARRICK_RUNNER_NETWORK"]) or not os.path.getsize',
    ),
  )
  await reaching.start(spec, never)
  await expect.poll(async () => (await reaching.list(never)).get(spec.id)?.kind, patience).toBe('exited')
  expect(said).toEqual(['control', 'control', 'control', ...unreachable.map(() => 'unreachable')])
  for (const { server } of control) server.close()
})
