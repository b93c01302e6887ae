import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { followTransfer } from './pulls.ts'
import {
  baseImage,
  container,
  dockerfile,
  openTestBuilders,
  start,
  type TestBuilders,
} from '../../testing/image-builders.ts'

/** `let-me-in`, as the registry's file of users has it. */
const users = 'ann:$2b$04$VhWPT84wMMFah17E8OTSMOB4gBb4kXixwT6Yk.RquhjOmwHX493aK\n'
const ann = { username: 'ann', password: 'let-me-in' }

let folder = ''
let host = ''
let registry: ChildProcess
let there: TestBuilders

/** A registry that lets only ann in, with one image. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-registry-'))
  host = `127.0.0.1:${await freePort()}`
  await writeFile(join(folder, 'users'), users)
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host },
    auth: { htpasswd: { realm: 'test', path: join(folder, 'users') } },
  }
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config))
  registry = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' })
  const answers = async () => expect((await fetch(`http://${host}/v2/`)).status).toBe(401)
  await vi.waitFor(answers, { timeout: 60_000, interval: 50 })
  await pushBase()
})
afterAll(async () => {
  registry.kill('SIGKILL')
  await once(registry, 'exit')
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  there = await openTestBuilders()
})
afterEach(async () => {
  await there[Symbol.asyncDispose]()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

async function pushBase(): Promise<void> {
  await using other = await openTestBuilders()
  const { engine } = other
  await engine.getImage(baseImage).tag({ repo: `${host}/ann/secret`, tag: 'v1' })
  const pushed = await engine
    .getImage(`${host}/ann/secret`)
    .push({ tag: 'v1', authconfig: { ...ann, serveraddress: host } })
  await followTransfer(pushed, () => {})
  await engine.getImage(`${host}/ann/secret:v1`).remove()
}

const reference = () => container({ from: 'reference', reference: `${host}/ann/secret:v1` })
const text = () => container(dockerfile(`FROM ${host}/ann/secret:v1\nRUN echo ${there.installation}\n`))

test.each([
  ['a reference', reference],
  ['a Dockerfile', text],
])('%s to a private image needs who may pull it, and what one may pull another may not', async (_, definition) => {
  const builder = await there.open()
  const refused = { code: 'build_failed', message: expect.stringMatching(new RegExp(`registry ${host}.*refuses`, 's')) }
  await expect(start(builder, definition()).built).rejects.toMatchObject(refused)
  const registries = { [host]: ann }
  const { built, lines } = start(builder, definition(), { registries })
  expect(await builder.placeOf(await built)).toMatchObject({ kind: 'image' })
  expect(lines.join('\n')).not.toContain(ann.password)
  const ofBob = { ...definition(), accountId: 'bob' }
  await expect(start(builder, ofBob).built).rejects.toMatchObject(refused)
})

test('wrong credentials are named by their registry and never shown', async () => {
  const builder = await there.open()
  const registries = { [host]: { username: 'ann', password: 'not-this-one' } }
  for (const definition of [reference(), text()]) {
    const { built, lines } = start(builder, definition, { registries })
    const error: unknown = await built.catch((caught: unknown) => caught)
    expect(error).toMatchObject({ message: expect.stringContaining(`the registry ${host}`) })
    expect(String(error) + lines.join('\n')).not.toContain('not-this-one')
  }
})
