import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Sighting } from '../../../domain/runner.ts'
import type { RunnerBackend, Limits, RunnerSpec } from '../../backend.ts'
import type { Place } from '../../conformance.ts'
import { createBounds } from './bounds.ts'
import { filesAtStart } from './files.ts'
import { hierarchiesIn } from './places.ts'
import { openCgroups } from './cgroups.ts'
import { endTree } from '../end/end.ts'
import { openWithCgroups, openWithoutCgroups } from '../testing.ts'

const MiB = 2 ** 20
const never = new AbortController().signal
const patience = { timeout: 20_000 }
const small: Limits = { machineType: 'XS', cpus: 0.5, memoryBytes: 64 * MiB, gpus: [] }

let place: Place
let runners: RunnerBackend | undefined

beforeEach(async () => {
  place = { folder: await mkdtemp(join(tmpdir(), 'carrick-groups-')), installation: randomUUID() }
})
afterEach(async () => {
  await runners?.close()
  runners = undefined
  await rm(place.folder, { recursive: true, force: true })
})

test('hierarchies are told from what the kernel says: two versions, controllers together, a group below a mounted one', () => {
  const mountinfo = `
24 1 0:5 / / rw shared:1 - ext4 /dev/vda rw
31 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:29 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 24 0:30 /docker/other /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 24 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`
  const membership = '4:cpu,cpuacct:/a:b\n3:memory:/docker/abc/x\n2:pids:/docker/abc\n0::/user.slice/session-1.scope'
  expect(hierarchiesIn(mountinfo, membership)).toEqual([
    { version: 1, controllers: ['cpu', 'cpuacct'], own: '/sys/fs/cgroup/cpu,cpuacct/a:b' },
    { version: 1, controllers: ['memory'], own: '/sys/fs/cgroup/memory/x' },
    { version: 2, controllers: [], own: '/sys/fs/cgroup/unified/user.slice/session-1.scope' },
  ])
})

/** A folder that looks like a delegated group of version 2: what the kernel would put there is put there. */
async function imitation(members = '') {
  const own = join(place.folder, 'carrick.service')
  const root = join(own, `carrick-${place.installation}`)
  await mkdir(root, { recursive: true })
  await writeFile(join(own, 'cgroup.procs'), members)
  await writeFile(join(own, 'cgroup.controllers'), 'cpuset cpu io memory pids')
  await writeFile(join(root, 'cgroup.kill'), '')
  const cgroups = await openCgroups(place.installation, [{ version: 2, controllers: [], own }])
  if (!cgroups) throw new Error('no groups below the imitation')
  return { own, root, cgroups }
}

test('version 2, on a folder that imitates it: bounds are in the files before a process is, the CPU once it serves', async () => {
  const { own, root, cgroups } = await imitation()
  const limits = { ...small, tasks: 100 }
  const said = (...names: string[]) => readFile(join(root, ...names), 'utf8')
  await cgroups.make('r', limits)
  expect(await readFile(join(own, 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory +pids')
  expect(await said('cgroup.subtree_control')).toBe('+cpu +memory +pids')
  expect([...cgroups.held]).toEqual([
    ['memory', 2],
    ['cpu', 2],
    ['pids', 2],
  ])
  const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'cpu.weight', 'cpu.idle', 'pids.max']
  expect(await Promise.all(files.map((file) => said('r', file)))).toEqual([String(64 * MiB), '0', '1', '6', '1', '100'])
  await expect(said('r', 'cpu.max')).rejects.toThrow('ENOENT')
  await cgroups.startsLong('r', limits)
  expect([await said('r', 'cpu.idle'), await said('r', 'cpu.weight')]).toEqual(['0', '6'])
  await cgroups.serves('r', limits)
  expect([await said('r', 'cpu.idle'), await said('r', 'cpu.weight')]).toEqual(['0', '50'])
  expect(await said('r', 'cpu.max')).toBe('50000 100000')
  cgroups.ends('r', limits)
  expect([await said('r', 'cpu.idle'), await said('r', 'cpu.weight')]).toEqual(['0', '6'])
})

test('version 2, on a folder that imitates it: what the kernel counted is what is told', async () => {
  const { root, cgroups } = await imitation()
  await cgroups.make('r', { tasks: 100 })
  await writeFile(join(root, 'r', 'memory.events'), 'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n')
  await writeFile(join(root, 'r', 'cpu.stat'), 'usage_usec 2500000\nuser_usec 1\n')
  await writeFile(join(root, 'r', 'memory.current'), '4096\n')
  expect(await cgroups.memoryKills('r')).toEqual({ count: 1, atLimit: true })
  expect(await cgroups.usageOf('r')).toEqual({ cpuSeconds: 2.5, memoryBytes: 4096 })
})

const groups = await openCgroups('probe-limits')
await groups?.close()
const missing = ['memory', 'cpu', 'pids'].filter((name) => !groups?.held.has(name as 'memory'))
const here = missing.length > 0 ? `no control group with ${missing.join(', ')} may be made here` : undefined
const versions = [...new Set(groups?.held.values())].map((version) => `v${version}`).join(' and ')

async function run(program: string, limits: Limits | undefined = small, open = openWithCgroups) {
  runners = await open(place)
  const said: string[] = []
  runners.onOutput(({ text }) => said.push(text))
  const spec: RunnerSpec = {
    id: randomUUID(),
    appId: 'app',
    revisionId: 'revision',
    accountId: 'account',
    command: ['python3', '-c', program],
    variables: {},
    mounts: [],
    ...(limits && { limits }),
  }
  await runners.start(spec, never)
  const seen = async (kind: Sighting['kind']) => {
    await expect.poll(async () => (await runners?.list(never))?.get(spec.id)?.kind, patience).toBe(kind)
    return (await runners?.list(never))?.get(spec.id)
  }
  return { id: spec.id, said, seen }
}

const serve = `
import http.server, os
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler).serve_forever()`

test.skipIf(here)(
  `a runner that takes more memory than it has ends as oom, and its log says why (${versions})`,
  async () => {
    const { said, seen } = await run('kept = bytearray(200 * 2**20)\nprint("it fitted")')
    expect(await seen('exited')).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' }, exceeded: 'oom' })
    expect(said).toEqual([expect.stringMatching(/more than the 64 MiB of memory that its machine type XS has/)])
  },
)

test.skipIf(here)('so does one that ends because a process of it was killed', async () => {
  const { seen } = await run(`
import subprocess, sys
child = subprocess.run([sys.executable, '-c', 'kept = bytearray(200 * 2**20)'])
sys.exit(1 if child.returncode else 0)`)
  expect(await seen('exited')).toMatchObject({ exceeded: 'oom' })
})

test.skipIf(here)('one that bears the loss of a process goes on, and its own end is its own', async () => {
  const { seen } = await run(`
import subprocess, sys
subprocess.run([sys.executable, '-c', 'kept = bytearray(200 * 2**20)'])`)
  expect(await seen('exited')).toEqual({ kind: 'exited', exit: { code: 0, signal: null } })
})

test.skipIf(here)('its CPU is bounded once it serves, and not before', async () => {
  const group = () => openCgroups(place.installation).then((all) => all?.foldersOf(id) ?? [])
  const bound = async () => {
    const files = (await group()).flatMap((folder) => [join(folder, 'cpu.cfs_quota_us'), join(folder, 'cpu.max')])
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
    return texts.join('').trim()
  }
  const { id, seen } = await run(`import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n${serve}`)
  expect(await bound()).toMatch(/^(?:-1|max 100000)$/)
  await writeFile(join(place.folder, id, 'work', 'go'), '')
  await seen('accepting')
  await expect.poll(bound, patience).toMatch(/^50000/)
})

const elsewhere = groups?.held.get('cpu') === 1 ? undefined : 'the CPU is not bounded by version 1 here'

const membersOf = async (folder: string) => (await readFile(join(folder, 'cgroup.procs'), 'utf8')).match(/\d+/g) ?? []

test.skipIf(elsewhere)(
  'while it starts it stands back behind all others, once it serves it is among them, and when it ends it weighs little',
  async () => {
    const all = await openCgroups(place.installation)
    if (all === undefined) throw new Error('there were groups a moment ago')
    await all.make('r', { ...small, tasks: 100 })
    const { cpu = '', others } = all.foldersAtStart('r')
    const enter = [cpu, ...others].map((folder) => `echo $$ > ${folder}/cgroup.procs`).join(' && ')
    const started = spawn('sh', ['-c', `${enter}; sleep 3600 & echo in; exec sleep 3600`])
    await once(started.stdout, 'data')
    const family = await membersOf(cpu)
    expect(family).toHaveLength(2)
    expect(await readFile(join(cpu, '..', 'cpu.idle'), 'utf8')).toBe('1\n')
    await all.serves('r', { ...small, tasks: 100 })
    expect(await membersOf(cpu)).toEqual([])
    const [serving = ''] = all.foldersOf('r').filter((folder) => !others.includes(folder))
    expect(new Set(await membersOf(serving))).toEqual(new Set(family))
    expect(await readFile(join(serving, 'cpu.shares'), 'utf8')).toBe('512\n')
    all.ends('r', { ...small, tasks: 100 })
    expect(await readFile(join(serving, 'cpu.shares'), 'utf8')).toBe('64\n')
    await all.kill('r')
    await expect.poll(() => all.isPopulated('r'), patience).toBe(false)
    await all.close()
  },
)

const alone = groups?.freeze ? elsewhere : 'there are no groups of version 2 here'

test.skipIf(alone)(
  `a process that a crash left on its way, in a group of version 1 alone, is ended with its runner (${alone ?? 'here'})`,
  async () => {
    const cgroups = await openCgroups(place.installation)
    if (cgroups === undefined) throw new Error('there were groups a moment ago')
    await cgroups.make('r', { ...small, tasks: 100 })
    const stray = spawn('sleep', ['3600'])
    await writeFile(join(cgroups.foldersAtStart('r').cpu ?? '', 'cgroup.procs'), String(stray.pid))
    expect(await cgroups.populated()).toEqual(['r'])
    const ended = once(stray, 'exit')
    await endTree({ id: 'r', installation: place.installation, main: undefined, cgroups }, never)
    expect(await ended).toEqual([null, 'SIGKILL'])
    await cgroups.close()
  },
)

test.skipIf(elsewhere)('one that was told to end weighs little from then on', async () => {
  const { id, seen } = await run(`import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)${serve}`)
  const all = await openCgroups(place.installation)
  const { others = [] } = all?.foldersAtStart(id) ?? {}
  const [serving = ''] = all?.foldersOf(id).filter((folder) => !others.includes(folder)) ?? []
  const shares = () => readFile(join(serving, 'cpu.shares'), 'utf8')
  await seen('accepting')
  await expect.poll(shares, patience).toBe('512\n')
  await runners?.terminate(id, never)
  expect(await shares()).toBe('64\n')
})

test.skipIf(here)('one whose processes go on by starting the next and ending themselves is ended', async () => {
  const { id, said, seen } = await run(`
import os
print('begun', flush=True)
if os.fork() == 0:
    while True:
        if os.fork() != 0: os._exit(0)
os.read(os.pipe()[0], 1)`)
  await expect.poll(() => said, patience).toEqual(['begun'])
  await runners?.kill(id, AbortSignal.timeout(patience.timeout))
  await seen('exited')
})

test.skipIf(elsewhere)('a start that takes long does not stand back for ever', async () => {
  const { id } = await run('import time\ntime.sleep(3600)')
  const all = await openCgroups(place.installation)
  const { others = [] } = all?.foldersAtStart(id) ?? {}
  const [serving = ''] = all?.foldersOf(id).filter((folder) => !others.includes(folder)) ?? []
  await expect.poll(() => membersOf(serving), patience).toHaveLength(1)
})

test.skipIf(here)('its processes are bounded', async () => {
  const { said, seen } = await run(
    `
import os, resource
try:
    for _ in range(400):
        if os.fork() == 0: os.read(os.pipe()[0], 1)
except OSError as error: print(error.strerror, flush=True)`,
    { ...small, memoryBytes: 1_024 * MiB },
  )
  await seen('exited')
  expect(said).toEqual(['Resource temporarily unavailable'])
})

test('where no group can be made one process is bounded, and it is said', async () => {
  const { said, seen } = await run('bytearray(200 * 2**20)', small, openWithoutCgroups)
  expect(await seen('exited')).toMatchObject({ exit: { code: 1 } })
  expect(said.at(-1)).toBe('MemoryError')
  expect(runners?.confinement).toEqual(
    expect.arrayContaining([expect.objectContaining({ part: 'memory', by: expect.stringContaining('rlimit') })]),
  )
})

test('where nothing can begin a runner but itself, nothing bounds it', () => {
  const { confinement } = createBounds({ cgroups: undefined, launches: false, hardCpu: true, tasks: 1 })
  expect(confinement.filter(({ by }) => by !== null)).toEqual([])
})

test('a group in which nothing starts yet does not stand back: version 2 refuses a weight once it does', () => {
  const named = (waits?: true) => filesAtStart(2, { tasks: 1, ...(waits ? { waits } : {}) }).map(({ name }) => name)
  expect(named()).toContain('cpu.idle')
  expect(named(true)).not.toContain('cpu.idle')
})
