import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunnerSpec } from '../backend.ts'
import { describeBackend, isRunning, startInAnotherProcess, state, type Place } from '../conformance.ts'
import { openCgroups } from './cgroups.ts'
import { bootId, procOf } from './proc.ts'
import { openWithCgroups, openWithoutCgroups, withCgroups, withoutCgroups } from './testing.ts'

const groups = await openCgroups('probe')
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
  return { id: randomUUID(), appId: 'app', revisionId: 'revision', command, variables: {} }
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
  const folder = groups?.folderOf(spec.id).replace('carrick-probe', `carrick-${place.installation}`) ?? ''
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
  const record = { id, appId: 'app', revisionId: 'revision', pid: process.pid, bootId: bootId() }
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
  const before = new Set(childrenOf(process.pid))
  await using session = await runners.exec(spec.id, { command: ['echo', 'early'] }, never)
  await expect.poll(() => childrenOf(process.pid).filter((pid) => !before.has(pid)), { timeout: 20_000 }).toEqual([])
  const said: string[] = []
  for await (const { data } of session.output) said.push(Buffer.from(data).toString())
  expect([said.join(''), await session.exitCode]).toEqual(['early\n', 0])
  await runners.close()
})

function childrenOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
}
