import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { silent } from '../../../kit/logger.ts'
import type { RunnerBackend, RunnerSpec } from '../../backend.ts'
import { openEngine, type Engine } from '../engine/engine.ts'
import { createDockerBackend } from '../index.ts'
import { testImage } from '../testing.ts'
import type { WallSettings } from './walls.ts'

const never = new AbortController().signal
const runsc = (await openEngine()).facts.runtimes.includes('runsc')
let engine: Engine
let folder: string
let backend: RunnerBackend | undefined
const said: string[] = []

beforeAll(async () => {
  engine = await openEngine()
  folder = await mkdtemp(join(tmpdir(), 'carrick-runtime-'))
})
afterAll(async () => {
  await backend?.close()
  await rm(folder, { recursive: true, force: true })
})

const open = async (walls: Partial<WallSettings>) => {
  await backend?.close()
  backend = await createDockerBackend({ engine, folder, installation: randomUUID(), log: silent, walls })
  backend.onOutput(({ text }) => said.push(text))
  return backend
}

const program = `
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(open('/proc/version').read().encode())
for path in ('/tmp/new', os.environ['HOME'] + '/new'): open(path, 'w').write('new')
http.server.HTTPServer(('0.0.0.0', 8080), Handler).serve_forever()`

const specOf = (more: Partial<RunnerSpec>): RunnerSpec => ({
  id: randomUUID(),
  appId: 'app',
  revisionId: 'revision',
  accountId: 'account',
  command: ['python3', '-c', program],
  image: { reference: testImage },
  variables: {},
  mounts: [],
  limits: { cpus: 1, memoryBytes: 256 * 2 ** 20, gpus: [] },
  ...more,
})

const sighted = (runners: RunnerBackend, { id }: RunnerSpec, kind: 'accepting' | 'exited') =>
  vi.waitFor(
    async () => {
      const seen = (await runners.list(never)).get(id)
      if (seen?.kind !== kind) throw new Error(`it is ${seen?.kind}: ${said.join('\n')}`)
      return seen
    },
    { timeout: 120_000, interval: 100 },
  )

test.skipIf(!runsc)(
  `an app may be run by a kernel of its own, gVisor (${runsc ? 'here' : 'the engine has no runtime "runsc"'})`,
  async () => {
    const runners = await open({ runtimes: ['runsc'] })
    const spec = specOf({ runtime: 'runsc' })
    await runners.start(spec, never)
    const seen = await sighted(runners, spec, 'accepting')
    const address = seen.kind === 'accepting' ? seen.address : undefined
    const kernel = await (await fetch(`http://${address?.host}:${address?.port}/`)).text()
    expect(kernel).toContain('Linux version 4.4.0') // what gVisor says of itself, whatever the machine has
  },
)

test('an app that asks for a runtime which the engine does not have does not start, and its log says which there are', async () => {
  const runners = await open({ runtimes: ['kata'] })
  expect(() => runners.requireRuntime?.('kata')).toThrow('has no runtime "kata" (annotation carrick.runtime), but')
  const spec = specOf({ runtime: 'kata' })
  await runners.start(spec, never)
  expect(await sighted(runners, spec, 'exited')).toMatchObject({ exit: { code: 125 } })
  await vi.waitFor(() => expect(said.at(-1)).toContain('has no runtime "kata"'), { timeout: 60_000 })
})

test('a server whose own runtime the engine does not have does not start', async () => {
  await expect(open({ runtime: 'kata' })).rejects.toThrow(
    'CARRICK_CONTAINER_RUNTIME is "kata", and the container engine has',
  )
})

const hasGpus = existsSync('/dev/nvidiactl')
const where = hasGpus ? 'this machine has some' : 'here'

test.skipIf(hasGpus)(
  `GPUs of a machine that has none are refused by the engine, in its own words (${where})`,
  async () => {
    const runners = await open({})
    const spec = specOf({ limits: { cpus: 1, memoryBytes: 2 ** 28, gpus: [0] } })
    await runners.start(spec, never)
    expect(await sighted(runners, spec, 'exited')).toMatchObject({ exit: { code: 125 } })
    const refusal = /could not be started: .*device driver.*gpu/
    await vi.waitFor(() => expect(said.at(-1)).toMatch(refusal), { timeout: 60_000 })
  },
)
