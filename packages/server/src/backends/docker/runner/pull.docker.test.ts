import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Sighting } from '../../../domain/runner.ts'
import { silent } from '../../../kit/logger.ts'
import type { RunnerBackend, RunnerOutput } from '../../backend.ts'
import { openEngine, unless } from '../engine/engine.ts'
import { createDockerBackend } from '../index.ts'

/** A program without libraries, which the engine brings along. */
const program = '/usr/bin/docker-init'
const login = { username: 'puller', password: 'of-the-test' }
const never = new AbortController().signal
const patience = { timeout: 120_000, interval: 20 }

let registry: Server
let host: string
let folder: string
let backend: RunnerBackend
let output: RunnerOutput[]
let seen: Sighting['kind'][]
let gate: PromiseWithResolvers<void>

beforeEach(async () => {
  gate = Promise.withResolvers()
  ;({ registry, host } = await openRegistry(gate.promise))
  folder = await mkdtemp(join(tmpdir(), 'carrick-runners-'))
  const authFor = async (reference: string) => (reference.includes('/closed/') ? undefined : login)
  backend = await createDockerBackend({
    folder,
    installation: randomUUID(),
    engine: await openEngine(),
    log: silent,
    authFor,
  })
  output = []
  seen = []
  backend.onOutput((line) => output.push(line))
  backend.onChange((id) => void backend.list(never).then((all) => seen.push(all.get(id)?.kind ?? 'unlisted')))
})
afterEach(async () => {
  gate.resolve()
  await backend.close()
  registry.closeAllConnections()
  registry.close()
  const { docker } = await openEngine()
  await unless([404], docker.getImage(`${host}/open/init:1`).remove({ force: true }))
  await rm(folder, { recursive: true, force: true })
})

async function start(reference: string) {
  const id = randomUUID()
  const own = { id, appId: 'app', revisionId: 'revision', accountId: 'account', variables: {}, mounts: [] }
  await backend.start({ ...own, command: [], image: { reference, entrypoint: ['/init', '--version'] } }, never)
  return id
}

const sighted = <Kind extends Sighting['kind']>(id: string, kind: Kind) =>
  vi.waitFor(async () => {
    const found = (await backend.list(never)).get(id)
    if (found?.kind !== kind) throw new Error(`it is ${found?.kind ?? 'not listed'}, not ${kind}`)
    return found as Extract<Sighting, { kind: Kind }>
  }, patience)

test('an image that is not there is pulled with its credentials, which is seen, and then its runner starts', async () => {
  const id = await start(`${host}/open/init:1`)
  await sighted(id, 'pulling')
  gate.resolve()
  expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 0, signal: null } })
  const words = [expect.stringMatching(/^Pulling the image .*\/open\/init:1$/), expect.stringContaining('tini version')]
  await vi.waitFor(() => expect(output.map(({ text }) => text)).toEqual(words), patience)
  expect(seen[0]).toBe('pulling') // it may have ended before anybody looks how it starts
  expect(output.map(({ text }) => text).join()).not.toContain(login.password)
})

test.each([
  ['closed/init:1', /unauthorized|no basic auth|authentication required/i],
  ['open/nothing:1', /manifest unknown|not found/i],
])('what the registry says against %s is in the log of a runner that ends', async (name, words) => {
  const id = await start(`${host}/${name}`)
  expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 125, signal: null } })
  await vi.waitFor(() => expect(output.at(-1)?.text).toMatch(words), patience)
})

test('one whose image is on its way can be ended', async () => {
  const id = await start(`${host}/open/init:1`)
  await sighted(id, 'pulling')
  await backend.kill(id, never)
  expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
  expect((await backend.list(never)).size).toBe(1)
})

/** One image for those who log in; it hands out its layer when the gate opens. */
async function openRegistry(opened: Promise<void>) {
  const layers = pack()
  layers.entry({ name: 'init', mode: 0o755 }, await readFile(program))
  layers.finalize()
  const layer = await buffer(layers)
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] }
  const config = Buffer.from(JSON.stringify({ architecture: architecture(), os: 'linux', config: {}, rootfs }))
  const part = (mediaType: string, content: Buffer) => ({ mediaType, size: content.length, digest: digestOf(content) })
  const type = 'application/vnd.docker.distribution.manifest.v2+json'
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar', layer)],
    }),
  )
  const blobs = new Map([config, layer].map((content) => [digestOf(content), content]))
  const basic = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
  const answer = async ({ url = '', headers, method }: IncomingMessage, res: ServerResponse): Promise<void> => {
    const refuse = (status: number, code: string, message: string) => {
      res.writeHead(status, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="test"' })
      res.end(JSON.stringify({ errors: [{ code, message }] }))
    }
    const blob = blobs.get(url.split('/blobs/')[1] ?? '')
    if (headers.authorization !== basic) refuse(401, 'UNAUTHORIZED', 'authentication required')
    else if (url === '/v2/') res.end('{}')
    else if (blob) {
      if (blob === layer) await opened
      res.writeHead(200, { 'content-length': blob.length }).end(blob)
    } else if (url.startsWith('/v2/open/init/manifests/')) {
      const known = { 'content-type': type, 'docker-content-digest': digestOf(manifest) }
      res.writeHead(200, { ...known, 'content-length': manifest.length }).end(method === 'HEAD' ? undefined : manifest)
    } else refuse(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  }
  const server = createServer((req, res) => void answer(req, res))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { registry: server, host: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`
const architecture = () => (process.arch === 'x64' ? 'amd64' : process.arch)
