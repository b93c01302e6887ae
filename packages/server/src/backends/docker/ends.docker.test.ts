import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { RunnerId } from '../../domain/ids.ts'
import type { Sighting } from '../../domain/runner.ts'
import type { RunnerBackend, RunnerOutput, RunnerSpec } from '../backend.ts'
import { openEngine, type Engine } from './engine/engine.ts'
import { openDocker, testImage } from './testing.ts'

/** How containers end, and why that is told. */
const never = new AbortController().signal
const patience = { timeout: 120_000, interval: 20 }
let engine: Engine
let folder: string
let backend: RunnerBackend
let output: RunnerOutput[]

beforeAll(async () => {
  engine = await openEngine()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-runners-'))
  backend = await openDocker({ folder, installation: randomUUID() })
  output = []
  backend.onOutput((line) => output.push(line))
})
afterEach(() => backend.close())
afterAll(() => rm(folder, { recursive: true, force: true }))

async function start(program: string, more: Partial<RunnerSpec> = {}): Promise<RunnerId> {
  const id = randomUUID()
  const own = { id, appId: 'app', revisionId: 'revision', accountId: 'account', variables: {}, mounts: [] }
  const command = ['python3', '-u', '-c', program]
  await backend.start({ ...own, command, image: { reference: testImage }, ...more }, never)
  return id
}

const sighted = <Kind extends Sighting['kind']>(id: RunnerId, kind: Kind) =>
  vi.waitFor(async () => {
    const seen = (await backend.list(never)).get(id)
    if (seen?.kind !== kind) throw new Error(`${id} is ${seen?.kind ?? 'not listed'}, not ${kind}`)
    return seen as Extract<Sighting, { kind: Kind }>
  }, patience)

/** Output and ends come by ways of their own: which is first is chance. */
const said = (words: string) =>
  vi.waitFor(() => expect(output.map(({ text }) => text)).toContainEqual(expect.stringContaining(words)), patience)
const containerOf = (id: RunnerId) => engine.docker.getContainer(`carrick-${id}`)
const limits = { cpus: 1, memoryBytes: 64 * 2 ** 20, gpus: [], machineType: 'XS' }
const serving = `
import http.server, os, subprocess, sys
print('ready')
http.server.HTTPServer(('', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler).serve_forever()`

test('one that takes more memory than it has ends as oom, and its log says why', async () => {
  const id = await start(`kept = bytearray(200 * 2**20)`, { limits })
  expect(await sighted(id, 'exited')).toEqual({
    kind: 'exited',
    exit: { code: null, signal: 'SIGKILL' },
    exceeded: 'oom',
  })
  await said('64 MiB of memory that its machine type XS has')
})

test('one whose worker took more memory than there is ends as oom when it falls over that', async () => {
  const program = `
import subprocess, sys
sys.exit(subprocess.run([sys.executable, '-c', 'kept = bytearray(200 * 2**20)']).returncode != 0 and 3)`
  const id = await start(program, { limits })
  expect(await sighted(id, 'exited')).toMatchObject({ exit: { code: 3 }, exceeded: 'oom' })
})

test.each(['kill', 'terminate'] as const)(
  'one beside which a command took too much memory does not end as oom when it is ended later: %s',
  async (how) => {
    const id = await start(serving, { limits })
    await sighted(id, 'accepting')
    const session = await backend.exec(id, { command: ['python3', '-c', 'kept = bytearray(200 * 2**20)'] }, never)
    for await (const _ of session.output);
    expect(await session.exitCode).toBe(137)
    await backend[how](id, never)
    expect(await sighted(id, 'exited')).not.toHaveProperty('exceeded')
  },
)

test('one that starts processes without end is ended as pids, and its log says how many it may have', async () => {
  const id = await start(`
import os, sys, time
print('ready')
sys.stdin = open('/dev/null')
while not os.path.exists('go'): time.sleep(0.01)
while True:
    try:
        if os.fork() == 0: time.sleep(1000)
    except OSError: pass`)
  await said('ready')
  await containerOf(id).update({ PidsLimit: 40 })
  await backend.exec(id, { command: ['touch', 'go'] }, never)
  expect(await sighted(id, 'exited')).toMatchObject({ exit: { signal: 'SIGKILL' }, exceeded: 'pids' })
  await said('processes and threads and wanted more')
})

test('one that is stopped in its tracks can be ended', async () => {
  const id = await start(serving)
  await sighted(id, 'accepting')
  await containerOf(id).pause()
  await backend.kill(id, never)
  expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
})

test('one that somebody removes from the engine is seen to have ended', async () => {
  const id = await start(serving)
  await sighted(id, 'accepting')
  await containerOf(id).remove({ force: true })
  expect(await sighted(id, 'exited')).toMatchObject({ exit: { signal: 'SIGKILL' } })
  await backend.forget(id)
  expect((await backend.list(never)).size).toBe(0)
})

test('one whose server listens no more is known to, although the engine takes connections for it', async () => {
  const id = await start(`
import os, socket, time
server = socket.create_server(('0.0.0.0', int(os.environ['PORT'])))
while not os.path.exists('shut'): time.sleep(0.01)
server.close()
time.sleep(1000)`)
  await sighted(id, 'accepting')
  expect(await backend.isListening?.(id)).toBe(true)
  await backend.exec(id, { command: ['touch', 'shut'] }, never)
  await vi.waitFor(async () => expect(await backend.isListening?.(id)).toBe(false), patience)
})

test('one that listens on its own loopback is told that nobody reaches it', async () => {
  const id = await start(serving.replace("('', ", "('127.0.0.1', "))
  await said('has to bind 0.0.0.0')
  expect(await sighted(id, 'starting')).toBeDefined()
})
