/**
 * What a tenant may try from inside: its code runs in a real container, as the backend makes them, and tries to leave it, to
 * see or reach what is not its own, and to use more than it has. Whichever runtime the engine makes it by.
 */
import { randomUUID } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Address, Sighting } from '../../domain/runner.ts'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend, RunnerSpec } from '../backend.ts'
import { openEngine, type Engine } from './engine.ts'
import { createDockerBackend } from './index.ts'
import { testImage } from './testing.ts'

const never = new AbortController().signal
const { kind: engineKind, isRootless } = (await openEngine()).facts
const isPodman = engineKind === 'podman'
const patience = { timeout: 60_000, interval: 50 }
const ingressName = 'carrick.internal'
/** Something that only the server knows. */
const secret = `secret-${randomUUID()}`

/** Runs what it is sent in a process of its own, and answers what that printed. */
const cell = `
import http.server, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'a neighbour')
    def do_POST(self):
        code = self.rfile.read(int(self.headers['content-length']))
        done = subprocess.run([sys.executable, '-c', code.decode()], capture_output=True, timeout=50)
        self.send_response(200); self.end_headers(); self.wfile.write(done.stdout + done.stderr)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()`

/** What attempts are written with. */
const tools = `
import ctypes, errno, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
def tries(what, *arguments):
    try: return what(*arguments)
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
def calls(name, *arguments):
    if getattr(libc, name)(*arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
numbers = {'add_key': (248, 217), 'keyctl': (250, 219), 'bpf': (321, 280), 'perf_event_open': (298, 241),
  'init_module': (175, 105), 'kexec_load': (246, 104), 'open_by_handle_at': (304, 265), 'userfaultfd': (323, 282),
  'clock_settime': (227, 112), 'swapon': (167, 224), 'reboot': (169, 142), 'pivot_root': (155, 41), 'setns': (308, 268),
  'unshare': (272, 97), 'mount': (165, 40), 'acct': (163, 89), 'io_uring_setup': (425, 425)}
def system(name, *arguments):
    number = numbers[name][platform.machine() == 'aarch64']
    if libc.syscall(number, *arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
def connects(host, port):
    try:
        with socket.create_connection((host, port), 3): return 'connected'
    except OSError: return 'refused'
`

const isRoot = process.getuid?.() === 0
const mayMakeNetworks = isRoot && spawnSync('ip', ['netns', 'list']).status === 0

/** Which address whoever runs the suite gives to the machine while it runs. */
const later = process.env['CARRICK_TEST_LATER_ADDRESS']
const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.flatMap(({ address, scopeid }) => (scopeid ? [] : address)),
  )

interface Inhabited {
  readonly id: string
  readonly address: Address
  /** Its own address in its network. */
  readonly inside: string
}

/** By what containers are made. */
export interface Confined {
  /** As the engine knows it; absent: its own, whose containers are processes of the machine's kernel. */
  readonly runtime?: 'runsc'
  /** Most processes and threads of one runner, the runtime's own among them. */
  readonly tasks: number
}

export function escapeSuite({ runtime, tasks }: Confined): void {
  let engine: Engine
  let folder: string
  let backend: RunnerBackend
  /** The platform's own port, on every address of the machine, as an operator may have it. */
  let control: Server
  let ingress: Server
  let ingressPort: number
  const said = new Map<string, string[]>()

  const spec = (more: Partial<RunnerSpec> = {}): RunnerSpec => ({
    id: randomUUID(),
    appId: 'app',
    revisionId: 'revision',
    accountId: 'account',
    command: ['python3', '-c', cell],
    image: { reference: testImage },
    ...(runtime === undefined ? {} : { runtime }),
    variables: {},
    limits: { cpus: 1, memoryBytes: 256 * 2 ** 20, gpus: [], machineType: 'XS' },
    mounts: [],
    ...more,
  })

  function sighted<Kind extends Sighting['kind']>(id: string, kind: Kind) {
    return vi.waitFor(async () => {
      const seen = (await backend.list(never)).get(id)
      if (seen?.kind !== kind) throw new Error(`it is ${seen?.kind}: ${said.get(id)?.join('\n')}`)
      return seen as Extract<Sighting, { kind: Kind }>
    }, patience)
  }

  async function inhabit(more?: Partial<RunnerSpec>): Promise<Inhabited> {
    const made = spec(more)
    await backend.start(made, never)
    const { address } = await sighted(made.id, 'accepting')
    const { NetworkSettings } = await engine.docker.getContainer(`carrick-${made.id}`).inspect()
    const inside = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
    return { id: made.id, address, inside }
  }

  /** What the code printed that ran in there. */
  async function tell({ address: { host, port } }: Inhabited, code: string): Promise<string> {
    const body = `${tools}\n${code}`
    return (await (await fetch(`http://${host}:${port}/`, { method: 'POST', body })).text()).trim()
  }

  const attempt = (code: string) => tell(tenant, code)

  let tenant: Inhabited
  let sibling: Inhabited
  let stranger: Inhabited
  let gateway: string
  /** Addresses that the machine had before the backend was made. */
  let atStart: readonly string[]

  beforeAll(async () => {
    process.env['CARRICK_TEST_SECRET'] = secret
    engine = await openEngine()
    folder = await mkdtemp(join(tmpdir(), 'carrick-escape-'))
    for (const name of ['data/account', 'data/stranger', 'leaves/one', 'shared'])
      await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, 'secret.key'), secret)
    await writeFile(join(folder, 'blob'), 'its code', { mode: 0o600 })
    await writeFile(join(folder, 'data/account/theirs'), 'written by the server')
    await writeFile(join(folder, 'data/stranger/theirs'), secret)
    const answer = (word: string) => (_: IncomingMessage, res: { end(text: string): void }) => res.end(word)
    control = createServer(answer('the control port')).listen(0, '0.0.0.0')
    ingress = createServer(answer('the ingress')).listen(0, '127.0.0.1')
    await Promise.all([once(control, 'listening'), once(ingress, 'listening')])
    ingressPort = (ingress.address() as AddressInfo).port
    atStart = ownAddresses()
    backend = await createDockerBackend({
      engine,
      folder: join(folder, 'runners'),
      installation: randomUUID(),
      log: silent,
      ingress: {
        name: ingressName,
        port: ingressPort,
        insteadOf: { port: 8_700, names: ['localhost', 'carrick.example.com'] },
        async listenAt(host, through) {
          const also = createServer(answer('the ingress'))
          also.listen(through ?? { port: ingressPort, host })
          await once(also, 'listening')
          return { [Symbol.asyncDispose]: async () => void also.close() }
        },
      },
      walls: {
        runtimes: ['runsc'],
        tasks,
        scratchBytes: 32 * 2 ** 20,
        shared: [join(folder, 'shared'), join(folder, 'nowhere')],
      },
    })
    backend.onOutput(({ runnerId, text }) => said.set(runnerId, [...(said.get(runnerId) ?? []), text]))
    const given = {
      sees: [join(folder, 'blob')],
      leaves: [join(folder, 'leaves/one')],
      mounts: [{ from: join(folder, 'data/account'), to: '/data', readOnly: false }],
    }
    tenant = await inhabit(given)
    sibling = await inhabit({ appId: 'another' })
    stranger = await inhabit({ accountId: 'stranger', appId: 'a third' })
    gateway = await attempt(`print(socket.gethostbyname('${ingressName}'))`)
  })

  afterAll(async () => {
    await backend?.close()
    for (const server of [control, ingress]) server?.close()
    await rm(folder, { recursive: true, force: true })
    delete process.env['CARRICK_TEST_SECRET']
  })

  /** What is said inside where the machine's kernel is asked there, else what the machine says of the kernel that is. */
  const ofKernel = (inside: string, outside: string) => (runtime === undefined ? inside : outside)

  async function kernelsOwn(): Promise<string> {
    const { State } = await engine.docker.getContainer(`carrick-${tenant.id}`).inspect()
    return readFile(`/proc/${State.Pid}/status`, 'utf8')
  }
  const lacks = (part: string) => backend.confinement.find((each) => each.part === part)?.why

  test('it has no capability, can get none, and system calls to the machine are filtered', async () => {
    const status = await attempt(`
print(open('/proc/self/status').read(), 'privileges', libc.prctl(39, 0, 0, 0, 0))
print('ambient', [each for each in range(41) if libc.prctl(47, 1, each, 0, 0) > 0])`)
    for (const kind of ['Inh', 'Prm', 'Eff', 'Bnd']) expect(status).toMatch(new RegExp(`Cap${kind}:\\t0{16}\n`))
    expect(status).toMatch(/ privileges 1\nambient \[\]$/)
    expect(ofKernel(status, await kernelsOwn())).toMatch(/^Seccomp:\t2$/m)
  })

  test('it is not root, cannot become root, and programs with the setuid bit run as it', async ({ skip }) => {
    skip(isRootless, 'a rootless engine: its root is the user who runs the server, and no more than that')
    const found = await attempt(`
print(os.getuid() > 0, os.geteuid() > 0, tries(os.setuid, 0), tries(os.setgid, 12345), tries(os.setgroups, [42]))
import subprocess
print(subprocess.run(['/bin/su', '-c', 'id -u'], capture_output=True, stdin=subprocess.DEVNULL).stdout)
print(tries(os.chown, '/tmp', 0, 0))`)
    expect(found.split('\n')).toEqual(['True True EPERM EPERM EPERM', "b''", 'EPERM'])
  })

  test.skipIf(!isRootless)(
    `it is the user outside who runs the server (${isRootless ? 'a rootless engine' : 'the engine is not rootless'})`,
    async () => {
      const { State } = await engine.docker.getContainer(`carrick-${tenant.id}`).inspect()
      const { uid } = await stat(`/proc/${State.Pid}`)
      expect([uid, await attempt('print(tries(os.setuid, 1), tries(os.setgid, 1))')]).toEqual([
        process.getuid?.(),
        'EPERM EPERM',
      ])
    },
  )

  test('its root cannot be written to, nor what the kernel shows below /proc and /sys', async () => {
    const places = [
      '/x',
      '/usr/x',
      '/etc/passwd',
      '/bin/x',
      '/proc/sys/kernel/core_pattern',
      '/proc/sysrq-trigger',
      '/sys/x',
    ]
    const found = await attempt(`
for path in ${JSON.stringify(places)}: print(tries(open, path, 'a'))`)
    for (const word of found.split('\n')) expect(['EROFS', 'EACCES', 'EPERM', 'ENOENT']).toContain(word)
  })

  test('it mounts nothing, has its root nowhere else, and joins no namespace', async () => {
    const found = await attempt(`
print(system('mount', b'none', b'/tmp', b'tmpfs', 0, None), system('pivot_root', b'/tmp', b'/tmp'))
print(system('setns', os.open('/proc/1/ns/mnt', 0), 0) if os.access('/proc/1/ns/mnt', 4) else 'EPERM')
print(tries(os.chroot, '/tmp'))`)
    expect(found).toBe('EPERM EPERM\nEPERM\nEPERM')
  })

  test('it makes no namespace, not even one of a user', async ({ skip }) => {
    skip(isPodman, "Podman's filter of system calls lets a program have namespaces of users")
    skip(
      runtime !== undefined,
      "gVisor's kernel lets a program have namespaces of users, which are in that kernel alone",
    )
    const found = await attempt(
      `print([system('unshare', flag) for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000)])`,
    )
    expect(found).toBe("['EPERM', 'EPERM', 'EPERM', 'EPERM']")
  })

  test('the kernel refuses it keyrings, modules, programs, traces, clocks, handles of files, swap and a restart', async ({
    skip,
  }) => {
    skip(isPodman, "Podman's filter of system calls lets a program have keyrings")
    const names = ['keyctl', 'bpf', 'perf_event_open', 'init_module', 'kexec_load', 'open_by_handle_at', 'userfaultfd']
    const found = await attempt(`
print(system('add_key', b'user', b'name', b'value', 5, -4))
for name in ${JSON.stringify([...names, 'clock_settime', 'swapon', 'reboot', 'acct'])}: print(name, system(name, 0, 0, 0, 0, 0))`)
    for (const line of found.split('\n')) expect(line).toMatch(/EPERM|EACCES|ENOSYS|ENODEV|ENOTSUP/)
  })

  test('what older engines leave open is known: sockets of the hypervisor, and io_uring', async () => {
    const isOld = Number(engine.facts.api.split('.')[1]) < 43
    const found = await attempt(`
def socket_of(family): socket.socket(family, socket.SOCK_STREAM).close(); return 'open'
print(tries(socket_of, 40), system('io_uring_setup', 1, None))`)
    if (isOld) expect(found).toMatch(/^(open|EAFNOSUPPORT) (EFAULT|EPERM|ENOSYS)$/)
    else expect(found).toMatch(/^(EPERM|EAFNOSUPPORT) (EPERM|ENOSYS)$/)
  })

  test('it sees its own processes, and can trace or signal no other', async () => {
    const found = await attempt(`
import re
own = sorted(int(name) for name in os.listdir('/proc') if name.isdigit())
print(len(own) < 20, own[0], tries(os.kill, ${process.pid}, 0) if ${process.pid} not in own else 'ESRCH')
print(calls('ptrace', 16, ${process.pid}, 0, 0) if ${process.pid} not in own else 'ESRCH')
print(any('${process.execPath}' in os.readlink('/proc/%d/exe' % pid) for pid in own if os.access('/proc/%d/exe' % pid, 4)))`)
    expect(found.split('\n')).toEqual(['True 1 ESRCH', 'ESRCH', 'False'])
  })

  test('it opens no raw socket and configures no network', async () => {
    const found = await attempt(`
import fcntl, struct
print(tries(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1), tries(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3))
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(tries(fcntl.ioctl, one.fileno(), 0x8914, struct.pack('16sH22x', b'eth0', 0)))
print(tries(open, '/proc/sys/net/ipv4/ip_forward', 'w'))`)
    // gVisor has no such sockets on a network of the machine's, and no such request.
    expect(found).toMatch(/^(EPERM EPERM\nEPERM|EAFNOSUPPORT EAFNOSUPPORT\nENOTTY)\n(EROFS|EACCES)$/)
  })

  // The device of gVisor's own kernel leads to that alone.
  test('its devices are those that every program has, and it makes none', async () => {
    const found = await attempt(`
known = {'core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero', 'console'}${ofKernel('', " | {'fuse'}")}
print(sorted(set(os.listdir('/dev')) - known), tries(os.mknod, '/tmp/disk', 0o60600, os.makedev(8, 0)))
print([path for path in ('/dev/mem', '/dev/kmsg', '/dev/sda', ${ofKernel("'/dev/fuse', ", '')}'/dev/kvm') if os.path.exists(path)])`)
    expect(found).toBe('[] EPERM\n[]')
  })

  test('what the machine tells about itself and its devices is masked', async () => {
    const found = await attempt(`
def size(path):
    try: return len(open(path, 'rb').read(100))
    except OSError: return 0
print(sum(size(path) for path in ('/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug')))
print(os.listdir('/sys/firmware') if os.path.exists('/sys/firmware') else [])`)
    expect(found).toBe('0\n[]')
  })

  test("the data folder, other accounts' files and the engine's socket are not there", async () => {
    const socketPath = engine.host.replace('unix://', '')
    const paths = [
      join(folder, 'secret.key'),
      join(folder, 'data'),
      socketPath,
      '/var/run/docker.sock',
      '/run/docker.sock',
    ]
    const found = await attempt(`
print([path for path in ${JSON.stringify(paths)} if os.path.exists(path)])
print(sorted(os.listdir('${folder}')), sorted(os.listdir('${folder}/runners')))
print(tries(os.listdir, '${folder}/runners/${sibling.id}'), tries(os.listdir, '/data/../data/../stranger'))`)
    expect(found.split('\n')).toEqual([
      '[]',
      `['blob', 'leaves', 'runners', 'shared'] ['${tenant.id}']`,
      'ENOENT ENOENT',
    ])
  })

  test("nothing of the server's environment is known to it", async () => {
    const found = await attempt(`
import glob
print(any(b'${secret}' in open(path, 'rb').read() for path in glob.glob('/proc/[0-9]*/environ') if os.access(path, 4)))
print(sorted(name for name in os.environ if name.startswith(('CARRICK_TEST', 'DOCKER'))))`)
    expect(found).toBe('False\n[]')
  })

  test('it reads what it is given, and writes to /data, /tmp, its folder and what it leaves, as the server sees', async () => {
    const found = await attempt(`
print(open('${folder}/blob').read(), tries(open, '${folder}/blob', 'a'), open('/data/theirs').read())
for path in ('/data/new', '/tmp/new', '/var/tmp/new', '/dev/shm/new', '/run/new', os.environ['HOME'] + '/new', '${folder}/leaves/one/new', '${folder}/shared/new'):
    open(path, 'w').write('by the app')
open('/data/theirs', 'a').write(' and the app')
os.mkdir('/data/folder')
print(os.getcwd() == os.environ['HOME'], os.path.expanduser('~') == os.environ['HOME'])`)
    expect(found).toMatch(/^its code (EROFS|EACCES) written by the server\nTrue True$/)
    expect(await readFile(join(folder, 'data/account/new'), 'utf8')).toBe('by the app')
    expect(await readFile(join(folder, 'data/account/theirs'), 'utf8')).toBe('written by the server and the app')
    expect(await readFile(join(folder, 'leaves/one/new'), 'utf8')).toBe('by the app')
    expect(await tell(stranger, `print(open('${folder}/shared/new').read())`)).toBe('by the app') // it is for all
  })

  test.skipIf(!isRoot)(
    `each account is a user of its own outside, too (${isRoot ? 'here' : 'the server is not root, so runners are its user'})`,
    async () => {
      const [one, two, three] = await Promise.all(
        [tenant, sibling, stranger].map((each) => tell(each, 'print(os.getuid())')),
      )
      expect(two).toBe(one)
      expect(three).not.toBe(one)
      expect((await stat(join(folder, 'data/account'))).uid).toBe(Number(one))
    },
  )

  test('files that dump core are written by nobody', async () => {
    expect(await attempt('import resource; print(resource.getrlimit(resource.RLIMIT_CORE))')).toBe('(0, 0)')
  })

  test('the ingress is reached by its name', async () => {
    const found = await attempt(`
import urllib.request
print(urllib.request.urlopen('http://${ingressName}:${ingressPort}/', timeout=10).read().decode())`)
    expect(found).toBe('the ingress')
  })

  test('the control port is not reached, at no address of the machine', async () => {
    if (lacks('network') !== undefined) return expect(lacks('network')).toContain('not refused')
    const { port } = control.address() as AddressInfo
    const own = ownAddresses()
    expect(own.length).toBeGreaterThan(1)
    const reaches = async (addresses: readonly string[]) => {
      const others = [...new Set(addresses)].filter((each) => !/^(127\.|::1)/.test(each))
      const found = await attempt(`for host in ${JSON.stringify(others)}: print(host, connects(host, ${port}))`)
      for (const line of found === '' ? [] : found.split('\n')) expect(line).toMatch(/refused$/)
    }
    // The rules of a rootless engine follow what the machine has, and others make bridges here meanwhile.
    const isNew = (each: string) => isRootless && !atStart.includes(each)
    await reaches([...own.filter((each) => !isNew(each)), gateway])
    await vi.waitFor(() => reaches(own.filter(isNew)), patience)
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200) // it is there
  })

  test.skipIf(later === undefined)(
    `an address that the machine gets later is not reached either (${later ?? 'nobody gives it one'})`,
    async () => {
      const { port } = control.address() as AddressInfo
      await vi.waitFor(() => expect(ownAddresses()).toContain(later), patience)
      const reached = () => attempt(`print(connects('${later}', ${port}))`)
      await vi.waitFor(async () => expect(await reached()).toBe('refused'), patience)
      expect((await fetch(`http://${later}:${port}/`)).status).toBe(200) // it is there
    },
  )

  test('nothing else of the machine is reached at the gateway: no other port, and no published one', async () => {
    const ports = [22, 53, 80, 443, 2375, 2376, 5000, 8080, 8700, tenant.address.port, stranger.address.port]
    const found = await attempt(
      `print([port for port in ${JSON.stringify(ports)} if connects('${gateway}', port) == 'connected'])`,
    )
    expect(found).toBe('[]')
  })

  test('the address where clouds tell keys is not reached, nor anything else of the link', async () => {
    if (lacks('network') !== undefined) return expect(lacks('network')).toContain('169.254.0.0/16')
    const found = await attempt(`
print([connects('169.254.169.254', port) for port in (80, 443, 8080)], connects('fd00:ec2::254', 80))`)
    expect(found).toBe("['refused', 'refused', 'refused'] refused")
  })

  test('no other runner is reached, of its own account or of another', async () => {
    const here = await attempt(`print(connects('127.0.0.1', 8080), connects('${tenant.inside}', 8080))`)
    expect(here).toBe('connected connected')
    const found = await attempt(`print(connects('${sibling.inside}', 8080), connects('${stranger.inside}', 8080))`)
    expect(found).toBe('refused refused')
    expect(sibling.inside.split('.').slice(0, 2)).not.toEqual([])
  })

  test.skipIf(!mayMakeNetworks)(
    `another machine reaches no runner past the platform's doors (${mayMakeNetworks ? 'a network namespace is one' : 'no network namespace can be made here'})`,
    () => {
      const name = `cw${randomUUID().slice(0, 6)}`
      const ip = (...args: string[]) => expect(spawnSync('ip', args, { encoding: 'utf8' }).stderr).toBe('')
      const inside = (...args: string[]) => spawnSync('ip', ['netns', 'exec', name, ...args], { encoding: 'utf8' })
      ip('netns', 'add', name)
      try {
        ip('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`, 'netns', name)
        ip('addr', 'add', '10.219.99.1/24', 'dev', `${name}a`)
        ip('link', 'set', `${name}a`, 'up')
        for (const args of [
          ['addr', 'add', '10.219.99.2/24', 'dev', `${name}b`],
          ['link', 'set', `${name}b`, 'up'],
          ['route', 'add', `${tenant.inside}/32`, 'via', '10.219.99.1'],
        ])
          ip('-n', name, ...args)
        const reach = `import socket; socket.create_connection(('${tenant.inside}', 8080), 3)`
        expect(inside('python3', '-c', reach).stderr).toMatch(/Error/)
      } finally {
        spawnSync('ip', ['netns', 'del', name])
        spawnSync('ip', ['link', 'del', `${name}a`])
      }
    },
  )

  test('it has no IPv6 of its own', async () => {
    expect(await attempt("print(repr(open('/proc/net/if_inet6').read()))")).toBe("''")
  })

  test('its port is published on loopback only', async () => {
    const { NetworkSettings } = await engine.docker.getContainer(`carrick-${tenant.id}`).inspect()
    expect(
      Object.values(NetworkSettings.Ports)
        .flat()
        .map(({ HostIp }) => HostIp),
    ).toEqual(['127.0.0.1'])
  })

  test('the groups that bound it can be read at most', async () => {
    const found = await attempt(`
import glob
writable = [path for path in glob.glob('/sys/fs/cgroup/**', recursive=True) if os.access(path, os.W_OK)]
print(writable, tries(open, '/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w') in ('EROFS', 'EACCES', 'ENOENT'))`)
    expect(found).toBe('[] True')
  })

  test('shared memory is its own, and as large as its memory', async () => {
    const found = await attempt(
      "shm = os.statvfs('/dev/shm'); print(shm.f_frsize * shm.f_blocks // 2**20, os.listdir('/dev/shm'))",
    )
    expect(found).toBe("256 ['new']")
  })

  /** How one ends that does this once it serves, and its last words. */
  async function ends(code: string, more?: Partial<RunnerSpec>) {
    const { id, address } = await inhabit(more)
    void tell({ id, address, inside: '' }, code).catch(() => {})
    const { exceeded } = await sighted(id, 'exited')
    return { exceeded, words: said.get(id)?.at(-1), id }
  }

  test('one that forks without end is ended as pids, and the others go on', async ({ skip }) => {
    skip(runtime !== undefined, 'gVisor falls itself when it is refused a process: see the next test')
    skip(lacks('processes') !== undefined, `of processes: ${lacks('processes')}`)
    const { exceeded, words } = await ends(`
while True:
    try:
        if os.fork() == 0:
            import time; time.sleep(1000)
    except OSError: pass`)
    expect(exceeded).toBe('pids')
    expect(words).toContain(`${tasks} processes`)
    expect(await attempt('print(1)')).toBe('1')
  })

  test.skipIf(runtime === undefined)(
    'one that forks without end ends with the kernel that it has, and the others go on (gVisor)',
    async () => {
      const { exceeded } = await ends(`
while True:
    try: os.fork()
    except OSError: pass`)
      // As a program that fails by itself where nobody looked in the moment between.
      expect([undefined, 'pids', 'oom']).toContain(exceeded)
      expect(await attempt('print(1)')).toBe('1')
      expect(await tell(stranger, 'print(2)')).toBe('2')
    },
  )

  test('one that takes all memory is ended as oom, also by way of shared memory', async ({ skip }) => {
    skip(isPodman, 'Podman 4 with runc and control groups v1 does not tell that memory was what it ended for')
    const unbounded = backend.confinement.some(({ part, by }) => part === 'memory' && by === null)
    skip(unbounded, `of memory: ${lacks('memory')}`)
    const { exceeded, words } = await ends(`
held = open('/dev/shm/held', 'wb')
while True: held.write(bytes(2**20))`)
    expect(exceeded).toBe('oom')
    expect(words).toContain('256 MiB of memory')
    expect(await attempt('print(1)')).toBe('1')
  })

  test('one that fills the disk is ended as disk, wherever it writes outside of /data, and nothing of it stays', async () => {
    const { exceeded, words, id } = await ends(`
places = [open(path + '/full', 'wb', 0) for path in ('/tmp', '/var/tmp', '/run', os.environ['HOME'])]
for step in range(40): [place.write(bytes(2**20)) for place in places]
import time; time.sleep(1000)`)
    expect(exceeded).toBe('disk')
    expect(words).toMatch(/wrote more than the 0.0 GiB that it may outside \/data \(CARRICK_SCRATCH_LIMIT\)/)
    await backend.forget(id)
    await expect(stat(join(folder, 'runners', id))).rejects.toThrow('ENOENT')
  })

  test('folders too deep to be measured count as too much, and are taken away', async () => {
    const { exceeded, id } = await ends(`
os.chdir('/tmp')
for step in range(60):
    os.mkdir('d' * 200); os.chdir('d' * 200)
open('hidden', 'w').write('here')
import time; time.sleep(1000)`)
    expect(exceeded).toBe('disk')
    await backend.forget(id)
    await expect(stat(join(folder, 'runners', id))).rejects.toThrow('ENOENT')
  })
}
