import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Mount, RunnerSpec } from '../backend.ts'
import { describeBackend, isRunning, startInAnotherProcess, state, type Place } from '../conformance.ts'
import { openCgroups } from './groups/cgroups.ts'
import { whyNoMounts } from './isolation/namespaces.ts'
import { bootId, procOf } from './proc.ts'
import { openWithCgroups, openWithoutCgroups, openWithoutMounts, withCgroups, withoutCgroups } from './testing.ts'

const groups = await openCgroups(`probe-${process.pid}`)
await groups?.close()
const noGroups = groups ? false : 'no control group (v2) may be made here'

describeBackend('process', withCgroups, noGroups)
describeBackend('process, without control groups', withoutCgroups)

const never = new AbortController().signal
let place: Place

beforeEach(async () => {
  place = { folder: await mkdtemp(join(tmpdir(), 'carrick-runners-')), installation: randomUUID() }
})
afterEach(() => rm(place.folder, { recursive: true, force: true }))

const server = `
  require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, children, env: process.env })))
    .listen(Number(process.env.PORT), '127.0.0.1')`

function specOf(before: string): RunnerSpec {
  const command = [process.execPath, '-e', `${before};${server}`]
  return {
    id: randomUUID(),
    appId: 'app',
    revisionId: 'revision',
    accountId: 'account',
    command,
    variables: {},
    mounts: [],
  }
}

test('a survivor whose record was never written is found by its environment', async () => {
  const spec = specOf('const children = []')
  const { pid } = await state(await startInAnotherProcess(withoutCgroups, place, spec))
  await rm(join(place.folder, spec.id), { recursive: true })
  const next = await openWithoutCgroups(place)
  expect([...(await next.list(never)).keys()]).toEqual([spec.id])
  await next.terminate(spec.id, never)
  await next.kill(spec.id, never)
  expect(isRunning(pid)).toBe(false)
  await next.close()
})

test.skipIf(noGroups)('a control group holds also those that shed every mark', async () => {
  const spec = specOf(`
    const options = { detached: true, env: {}, stdio: 'ignore' }
    const sleep = 'require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, env: {} })'
    setTimeout(() => require('node:child_process').spawn(process.execPath, ['-e', sleep + ';setTimeout(() => process.exit(), 20)'], options), 200)
    const children = []`)
  await state(await startInAnotherProcess(withCgroups, place, spec))
  const folder =
    groups
      ?.foldersAtStart(spec.id)
      .others[0]?.replace(`carrick-probe-${process.pid}`, `carrick-${place.installation}`) ?? ''
  const members = async () => (await readFile(join(folder, 'cgroup.procs'), 'utf8')).trim().split('\n').map(Number)
  await expect.poll(async () => (await members()).length, { timeout: 20_000 }).toBeGreaterThan(1)
  const before = await members()
  const next = await openWithCgroups(place)
  await next.kill(spec.id, never)
  expect(before.filter(isRunning)).toEqual([])
  await next.close()
})

test('a record whose process id belongs to somebody else by now names nobody', async () => {
  const id = randomUUID()
  await mkdir(join(place.folder, id))
  const record = { id, appId: 'app', revisionId: 'revision', accountId: 'account', pid: process.pid, bootId: bootId() }
  await writeFile(join(place.folder, id, 'runner.json'), JSON.stringify({ ...record, startTime: '1' }))
  const runners = await openWithoutCgroups(place)
  expect(await runners.list(never)).toEqual(new Map())
  await runners.kill(id, never)
  await runners.close()
  expect(await readdir(place.folder)).toEqual([])
})

test('a runner works in a folder of its own, which goes when it is forgotten', async () => {
  const runners = await openWithCgroups(place)
  const spec = specOf(`console.log(process.cwd());process.exit(0)`)
  const said: string[] = []
  runners.onOutput(({ text }) => said.push(text))
  await runners.start(spec, never)
  await expect.poll(async () => (await runners.list(never)).get(spec.id)?.kind, { timeout: 20_000 }).toBe('exited')
  expect(said).toEqual([join(place.folder, spec.id, 'work')])
  await runners.forget(spec.id)
  expect(existsSync(join(place.folder, spec.id))).toBe(false)
  await runners.close()
})

test('a start that finds no folder for the runner fails, and can be repeated', async () => {
  const runners = await openWithoutCgroups(place)
  const spec = specOf('const children = []')
  await writeFile(join(place.folder, spec.id), 'in the way')
  await expect(runners.start(spec, never)).rejects.toThrow(/EEXIST|ENOTDIR/)
  await rm(join(place.folder, spec.id))
  await runners.start(spec, never)
  expect((await runners.list(never)).size).toBe(1)
  await runners.close()
})

test('a process is known by its start time, whatever its name', () => {
  expect(procOf(process.pid)?.startTime).toMatch(/^\d+$/)
  expect(procOf(2 ** 30)).toBeUndefined()
})

const bootstrap = fileURLToPath(new URL('../../../../../runners/python/carrick_runner/__main__.py', import.meta.url))
const noMounts = await whyNoMounts([])

/** What a Python runner says that finds itself among these mounts, and how it ended. */
async function insideOf(program: string, mounts: readonly Mount[]) {
  const runners = await openWithCgroups(place)
  const callable = join(place.folder, 'callable')
  await writeFile(callable, program)
  const spec: RunnerSpec = {
    ...specOf(''),
    command: ['python3', bootstrap],
    variables: {
      CARRICK_CALLABLE: callable,
      CARRICK_METHOD: 'from_source',
      PYTHONPATH: join(bootstrap, '../../tests'),
    },
    mounts,
  }
  const said: string[] = []
  runners.onOutput(({ text }) => said.push(text))
  await runners.start(spec, never)
  const exit = await expect
    .poll(async () => (await runners.list(never)).get(spec.id)?.kind, { timeout: 20_000 })
    .toBe('exited')
    .then(async () => (await runners.list(never)).get(spec.id))
  await runners.forget(spec.id)
  const left = existsSync(join(place.folder, spec.id))
  await runners.close()
  return { said, exit, left }
}

async function aFolder(...names: string[]): Promise<string> {
  const folder = join(realpathSync(place.folder), '..', place.installation, ...names)
  await mkdir(folder, { recursive: true })
  return folder
}

test.skipIf(noMounts)(
  `a runner sees its mounts where the machine has none, and the rest as it is (${noMounts ?? 'here'})`,
  async () => {
    const data = await aFolder('data')
    await writeFile(join(data, 'in'), 'from outside')
    const { said, exit, left } = await insideOf(
      `
import os
def target():
    print(open('/data/in').read())
    open('/data/out', 'w').write('from inside')
    print(os.getcwd() == os.environ['HOME'], os.listdir(os.environ['TMPDIR']))
    print(os.path.exists('/etc/passwd'), os.readlink('/proc/self'), os.getpid())
    os._exit(0)`,
      [{ from: data, to: '/data', readOnly: false }],
    )
    expect(exit).toMatchObject({ exit: { code: 0 } })
    const [read, work, rest = ''] = said
    expect([read, work]).toEqual(['from outside', 'True []'])
    expect(rest).toMatch(/^True (\d+) \1$/)
    expect(await readFile(join(data, 'out'), 'utf8')).toBe('from inside')
    expect(left).toBe(false)
    expect(existsSync('/data/out')).toBe(false)
    await rm(join(data, '..'), { recursive: true })
  },
)

test.skipIf(noMounts)('what is mounted read-only stays as it is, whatever a runner does to it', async () => {
  const code = await aFolder('code', 'pkg')
  await writeFile(join(code, 'a.py'), 'as deployed')
  const { said, exit } = await insideOf(
    `
import os
def target():
    os.makedirs('/app/pkg/script', exist_ok=True)
    for change in (lambda: open('/app/pkg/a.py', 'w').write('changed'), lambda: os.remove('/app/pkg/a.py')):
        try: change()
        except OSError as error: print(error)
    print(os.path.isdir('/app/pkg/script'))
    os._exit(0)`,
    [{ from: join(code, '..'), to: '/app', readOnly: true }],
  )
  expect(exit, said.join()).toMatchObject({ exit: { code: 0 } })
  expect(said.at(-1)).toBe('True')
  expect(await readdir(code)).toEqual(['a.py'])
  expect(await readFile(join(code, 'a.py'), 'utf8')).toBe('as deployed')
  await rm(join(code, '../..'), { recursive: true })
})

test.skipIf(noMounts)('what refuses changes takes none, not even ones that would go with the runner', async () => {
  const data = await aFolder('data')
  await writeFile(join(data, 'kept'), 'as it was')
  const { said, exit } = await insideOf(
    `
import os
def target():
    print(open('/data/kept').read())
    for change in (lambda: open('/data/new', 'w'), lambda: open('/data/kept', 'a'), lambda: os.remove('/data/kept')):
        try: change()
        except OSError as error: print(error.strerror)
    os._exit(0)`,
    [{ from: data, to: '/data', readOnly: true, refuses: true }],
  )
  expect(exit, said.join()).toMatchObject({ exit: { code: 0 } })
  expect(said).toEqual(['as it was', ...Array.from({ length: 3 }, () => 'Read-only file system')])
  await rm(join(data, '..'), { recursive: true })
})

test.skipIf(noMounts)('a link where a folder should be is not mounted: the runner ends with a sentence', async () => {
  const data = await aFolder('data')
  await symlink('/etc', join(data, 'cache'))
  const mounts = [{ from: join(data, 'cache'), to: '/data/cache', readOnly: false }]
  const { said, exit } = await insideOf('def target(): print("it ran")', mounts)
  expect(exit).toMatchObject({ exit: { code: 1 } })
  expect(said.join()).toContain('could not mount /data/cache')
  expect(said.join()).not.toContain('it ran')
  await rm(join(data, '..'), { recursive: true })
})

test('there are no mounts where the operator wants none, or where they would hide what runners need', async () => {
  const runners = await openWithoutMounts(place)
  expect(runners.withoutMounts).toContain('CARRICK_MOUNTS')
  await runners.close()
  expect(await whyNoMounts(['/data/carrick'])).toContain('/data/carrick, which runners need, lies below /data')
  expect(await whyNoMounts(['/app'])).toContain('below /app')
})

const mayUnshare = (...flags: string[]) =>
  spawnSync('unshare', [...flags, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test.for([
  ['mount', '--mount'],
  ['user and mount', '--user', '--map-root-user', '--mount'],
])('a command enters the %s namespace of the runner', async ([, ...flags], { skip }) => {
  skip(!mayUnshare(...flags), `unshare ${flags.join(' ')} is not allowed here`)
  const runners = await openWithCgroups(place)
  const inside = 'mount -t tmpfs none /mnt && echo inside > /mnt/mark && cd /mnt && exec "$@"'
  const { command, ...spec } = specOf('const children = []')
  await runners.start({ ...spec, command: ['unshare', ...flags, 'sh', '-c', inside, 'sh', ...command] }, never)
  await expect.poll(async () => (await runners.list(never)).get(spec.id)?.kind, { timeout: 20_000 }).toBe('accepting')
  await using session = await runners.exec(spec.id, { command: ['cat', 'mark'] }, never)
  const said: string[] = []
  for await (const { data } of session.output) said.push(Buffer.from(data).toString())
  expect([said.join(''), await session.exitCode]).toEqual(['inside\n', 0])
  await runners.close()
})

test('what a command said before anybody read it is not lost', async () => {
  const runners = await openWithCgroups(place)
  const spec = specOf('const children = []')
  await runners.start(spec, never)
  await expect.poll(() => waitingLaunchers(), { timeout: 20_000 }).toHaveLength(1) // the runner serves: no other child comes by itself
  const before = new Set(childrenOf(process.pid))
  await using session = await runners.exec(spec.id, { command: ['echo', 'early'] }, never)
  await expect.poll(() => childrenOf(process.pid).filter((pid) => !before.has(pid)), { timeout: 20_000 }).toEqual([])
  const said: string[] = []
  for await (const { data } of session.output) said.push(Buffer.from(data).toString())
  expect([said.join(''), await session.exitCode]).toEqual(['early\n', 0])
  await runners.close()
})

function childrenOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  } catch {
    return [] // it has ended
  }
}

test('one that is killed as soon as it was begun is gone, however little it had become', async () => {
  const runners = await openWithoutCgroups(place)
  const specs = Array.from({ length: 12 }, () => specOf('const children = []'))
  await Promise.all(specs.map((spec) => runners.start(spec, never).then(() => runners.kill(spec.id, never))))
  expect([...(await runners.list(never)).values()].map(({ kind }) => kind)).toEqual(specs.map(() => 'exited'))
  await runners.close()
})

/** What forks launchers for a process. */
const forkServers = (of = process.pid) => launchersBelow(of)

/** The launchers of a process that wait to be told what to become. */
async function waitingLaunchers(of = process.pid): Promise<number[]> {
  return (await Promise.all((await forkServers(of)).map(launchersBelow))).flat()
}

async function launchersBelow(parent: number): Promise<number[]> {
  const children = childrenOf(parent).map(Number)
  const commands = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return children.filter((_, index) => commands[index]?.endsWith('carrick_launch/__main__.py\0'))
}

test('once a runner serves, the next one is a process that waits already, with all that is its own; it goes with the backend', async () => {
  const runners = await openWithoutCgroups(place)
  const kind = async (id: string) => (await runners.list(never)).get(id)?.kind
  const [first, next] = [specOf('const children = []'), specOf('const children = []')]
  await runners.start({ ...first, variables: { OF: 'the first' } }, never)
  await expect.poll(() => kind(first.id), { timeout: 20_000 }).toBe('accepting')
  await expect.poll(() => waitingLaunchers(), { timeout: 20_000 }).toHaveLength(1)
  const [waiting] = await waitingLaunchers()

  await runners.start({ ...next, variables: { GREETING: 'grüß dich' } }, never)
  await expect.poll(() => kind(next.id), { timeout: 20_000 }).toBe('accepting')
  const seen = (await runners.list(never)).get(next.id)
  const { pid, env } = await state(seen?.kind === 'accepting' ? seen.address : { host: '', port: 0 })
  expect(pid).toBe(waiting)
  expect(env).toMatchObject({ GREETING: 'grüß dich', CARRICK_RUNNER_ID: next.id })
  expect(env).not.toHaveProperty('OF')
  expect(realpathSync(`/proc/${pid}/cwd`)).toBe(realpathSync(join(place.folder, next.id, 'work')))
  await expect.poll(() => waitingLaunchers(), { timeout: 20_000 }).toHaveLength(1)
  await runners.close()
  await expect.poll(() => waitingLaunchers(), { timeout: 20_000 }).toEqual([])
  await expect.poll(() => forkServers(), { timeout: 20_000 }).toEqual([])
})

test('what forks the runners may be lost: those that it began count as killed and are gone, and others can be started', async () => {
  const runners = await openWithoutCgroups(place)
  const sighting = async (id: string) => (await runners.list(never)).get(id)
  const kind = async (id: string) => (await sighting(id))?.kind
  const [lost, other, next] = [
    specOf('const children = []'),
    specOf('const children = []'),
    specOf('const children = []'),
  ]
  await Promise.all([runners.start(lost, never), runners.start(other, never)])
  await expect.poll(() => kind(lost.id), { timeout: 20_000 }).toBe('accepting')
  await expect.poll(() => kind(other.id), { timeout: 20_000 }).toBe('accepting')
  const seen = await sighting(lost.id)
  const { pid } = await state(seen?.kind === 'accepting' ? seen.address : { host: '', port: 0 })
  const [forkServer = 0] = await forkServers()
  process.kill(forkServer, 'SIGKILL')
  for (const { id } of [lost, other]) await expect.poll(() => kind(id), { timeout: 20_000 }).toBe('exited')
  expect(await sighting(lost.id)).toMatchObject({ exit: { code: null, signal: 'SIGKILL' } })
  expect(isRunning(pid)).toBe(false)
  await runners.start(next, never)
  await expect.poll(() => kind(next.id), { timeout: 20_000 }).toBe('accepting')
  await runners.close()
})

test('of runners that were started at once each ends by itself: none holds what another writes to', async () => {
  const runners = await openWithoutCgroups(place)
  const kind = async (id: string) => (await runners.list(never)).get(id)?.kind
  const said: string[] = []
  runners.onOutput(({ runnerId, text }) => said.push(`${runnerId} ${text}`))
  const specs = Array.from({ length: 8 }, () => specOf('const children = []; console.log("here")'))
  await Promise.all(specs.map((spec) => runners.start(spec, never)))
  for (const { id } of specs) await expect.poll(() => kind(id), { timeout: 20_000 }).toBe('accepting')
  expect(said.toSorted()).toEqual(specs.map(({ id }) => `${id} here`).toSorted())
  for (const { id } of specs) {
    await runners.kill(id, never)
    expect(await kind(id)).toBe('exited')
  }
  await runners.close()
})

test('where runners share the network, one at a time serves at a port of its own choice, and a stranger there is not taken for it', async () => {
  const runners = await openWithCgroups(place)
  const stranger = createServer().listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  const exposedPort = portOf(stranger)
  const program = `require('node:http').createServer((_, res) => res.end(process.env.CARRICK_RUNNER_ID)).listen(${exposedPort}, '127.0.0.1')`
  const kept = `setInterval(() => {}, 1000); process.on('uncaughtException', ({ code }) => console.log(code)); ${program}`
  const fixed = () => ({ ...specOf('const children = []'), exposedPort, command: [process.execPath, '-e', kept] })
  const said: string[] = []
  runners.onOutput(({ text }) => said.push(text))
  const [late, early] = [fixed(), fixed()]
  const kind = async (id: string) => (await runners.list(never)).get(id)?.kind

  await runners.start(late, never)
  await expect.poll(() => said, { timeout: 20_000 }).toEqual(['EADDRINUSE'])
  expect([await kind(late.id), await runners.listening?.(late.id)]).toEqual(['starting', []])
  stranger.close()
  await runners.start(early, never)
  await expect.poll(() => kind(early.id), { timeout: 20_000 }).toBe('accepting')
  const seen = (await runners.list(never)).get(early.id)
  expect(seen).toMatchObject({ address: { host: '127.0.0.1', port: exposedPort } })
  expect(await (await fetch(`http://127.0.0.1:${exposedPort}/`)).text()).toBe(early.id)
  expect(await kind(late.id)).toBe('starting')
  await runners.close()
})

function portOf(opened: Server): number {
  const address = opened.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
