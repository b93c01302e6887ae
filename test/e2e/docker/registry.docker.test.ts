import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtempDisposable, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownBridge } from '../../../packages/server/src/backends/docker/engine/bridge.ts'
import { openEngine } from '../../../packages/server/src/backends/docker/engine/engine.ts'
import { externalRegistry } from '../../../packages/server/src/registry/external.ts'
import { forgetPushed } from '../../../packages/server/src/registry/push.ts'
import { pushTo } from '../../../packages/server/src/runtime/pushed-images.ts'
import { keepImage } from '../../../packages/server/src/store/environment-images.ts'
import { openTestStore } from '../../../packages/server/src/testing/store.ts'
import { Carrick } from '../carrick.ts'
import { forgetRegistry } from '../engine-leftovers.ts'

const patient = { timeout: 60_000, interval: 200 }
/** The engine of the tests, or another one. */
const mine = process.env['DOCKER_HOST'] ?? ''

interface Said {
  readonly code: number
  readonly said: string
}

let carrick: Carrick
let home: AsyncDisposable & { readonly path: string }
let port = ''

beforeAll(async () => {
  // Whoever only pushes and pulls needs no runners.
  carrick = await Carrick.start({ CARRICK_BACKEND: 'process' })
  home = await mkdtempDisposable(join(tmpdir(), 'carrick-docker-'))
  ;({ port } = new URL(carrick.url))
  await importImage(nameOf('tester/small:v1'))
})
afterAll(async () => {
  await forgetRegistry(`127.0.0.1:${port}`)
  await carrick[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

const nameOf = (image: string) => `127.0.0.1:${port}/${image}`

/** The stock command, whose logins are in a folder of this test's own. */
function docker(host: string, ...args: string[]): Promise<Said> {
  return run('docker', ['--config', join(home.path, 'config'), '--host', host, ...args])
}

function run(program: string, args: readonly string[], input = ''): Promise<Said> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 120_000 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, said: `${stdout}${stderr}` }),
    )
    child.stdin?.on('error', () => {}) // not every command reads it
    child.stdin?.end(input)
  })
}

function login(host: string, key: string): Promise<Said> {
  const args = [
    '--config',
    join(home.path, 'config'),
    '--host',
    host,
    'login',
    '--username',
    'anybody',
    '--password-stdin',
  ]
  return run('docker', [...args, `127.0.0.1:${port}`], key)
}

/** An image of one small file. */
async function importImage(name: string): Promise<void> {
  const folder = join(home.path, 'content')
  const { said, code } = await run('sh', [
    '-c',
    'mkdir -p "$1" && date +%N > "$1/file" && tar -C "$1" -c . | docker --host "$2" import - "$3"',
    'sh',
    folder,
    mine,
    name,
  ])
  if (code !== 0) throw new Error(said)
}

/** An image of one more layer on another. */
async function layerOn(base: string, name: string): Promise<string> {
  const image = nameOf(`tester/${name}:v1`)
  const { said, code } = await run(
    'docker',
    ['--host', mine, 'build', '--tag', image, '-'],
    `FROM ${base}\nLABEL a=b\n`,
  )
  if (code !== 0) throw new Error(said)
  const { docker: engine } = await openEngine()
  return (await engine.getImage(image).inspect()).Id
}

test('an engine that has not logged in is told to, and one that has pushes and pulls', async () => {
  const image = nameOf('tester/small:v1')
  const refused = await docker(mine, 'push', image)
  expect(refused.code).not.toBe(0)
  expect(refused.said).toMatch(/no basic auth credentials|a valid key is needed/)
  const wrong = await login(mine, 'no:key')
  expect(wrong.said).toMatch(/401 Unauthorized|a valid key is needed/)
  expect(await login(mine, carrick.variables['FAL_KEY'] ?? '')).toMatchObject({ code: 0 })
  expect(await docker(mine, 'push', image)).toMatchObject({ code: 0 })
  await docker(mine, 'rmi', image)
  const pulled = await docker(mine, 'pull', image)
  expect(pulled).toMatchObject({ code: 0 })
  expect(pulled.said).toMatch(/Downloaded newer image/)
})

test('a push to the repositories of others is refused in words that say whose they are', async () => {
  await docker(mine, 'tag', nameOf('tester/small:v1'), nameOf('somebody/small:v1'))
  const refused = await docker(mine, 'push', nameOf('somebody/small:v1'))
  expect(refused.code).not.toBe(0)
  expect(refused.said).toContain('somebody/small is not yours: your repositories begin with tester/')
})

describe('as the server pushes', () => {
  const registryAs = (username: string, password: string) =>
    externalRegistry({ address: `127.0.0.1:${port}`, login: { username, password } })

  test('an image goes to a registry that wants a login, under the digest that it has there', async () => {
    const { docker: engine } = await openEngine()
    const registry = registryAs('anybody', carrick.variables['FAL_KEY'] ?? '')
    const repository = registry.nameFor('tester', 'Some Environment')
    expect(repository).toBe('tester/some-environment')
    const lines: string[] = []
    const options = { onLine: (line: string) => lines.push(line), signal: AbortSignal.timeout(60_000) }
    const digest = await registry.push(engine, nameOf('tester/small:v1'), repository, options)
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(lines.join('\n')).toMatch(/Pushed|Layer already exists|Mounted from/)
    const reference = registry.referenceOf(`${repository}@${digest}`)
    expect(reference).toBe(`127.0.0.1:${port}/tester/some-environment@${digest}`)
    const there = await carrick.ask(`/v2/${repository}/manifests/${digest}`)
    expect(there.status).toBe(200)
    expect(registry.authFor(reference)).toMatchObject({ serveraddress: `127.0.0.1:${port}` })
    expect(registry.authFor('docker.io/library/python:3')).toBeUndefined()
    // The engine knows it by its digest, until it is told to forget.
    const known = async () => (await docker(mine, 'inspect', '--format', '{{.Id}}', reference)).code
    expect(await known()).toBe(0)
    await forgetPushed(engine, reference, `${repository}@${digest}`)
    expect(await known()).not.toBe(0)
    expect(await docker(mine, 'inspect', nameOf('tester/small:v1'))).toMatchObject({ code: 0 })
  })

  test('what an image goes on goes ahead of it: its layers are there then, and the engine keeps no name for it', async () => {
    const { docker: engine } = await openEngine()
    await using store = await openTestStore()
    const registry = registryAs('anybody', carrick.variables['FAL_KEY'] ?? '')
    const push = pushTo({ ...registry, nameFor: (_, name) => `tester/ahead-${name}` }, engine, { store })
    await importImage(nameOf('tester/base:v1'))
    const { Id: base } = await engine.getImage(nameOf('tester/base:v1')).inspect()
    const lines: string[] = []
    const pushed = (image: string) => ({
      environment: 'e',
      image,
      onLine: (line: string) => void lines.push(line),
      signal: AbortSignal.timeout(60_000),
    })
    const named = async () => (await engine.getImage(base).inspect()).RepoTags
    const above = await layerOn(base, 'above')
    await push.ahead(pushed(base))
    expect(await named()).toEqual([nameOf('tester/base:v1')])
    expect(lines.splice(0).join('\n')).toMatch(/Pushed|Mounted from/)
    await push.ahead(pushed(base))
    expect(lines).toEqual([]) // it is there
    const ofAnother = pushTo({ ...registry, nameFor: (_, name) => `tester/other-${name}` }, engine, { store })
    await ofAnother.ahead(pushed(base))
    expect(lines.splice(0).join('\n')).toContain('Mounted from tester/')
    const stored = await push.push(pushed(above))
    expect(lines.join('\n')).toMatch(/Layer already exists/)

    // One that is an environment by itself starts by the name that its own push gave it.
    const again = pushTo({ ...registry, nameFor: (_, name) => `tester/ahead-${name}` }, engine, { store })
    const image = { imageId: above, tag: 'environment:1', pushed: stored }
    await store.commit(keepImage('e'.repeat(64), { image, sbom: '{}', now: 1 }))
    await again.ahead(pushed(above))
    expect((await engine.getImage(registry.referenceOf(stored)).inspect()).Id).toBe(above)
    await push.forget(stored)
    await docker(mine, 'rmi', nameOf('tester/above:v1'))
  })

  test('a push that is given up ends, and leaves no name in the engine', async () => {
    const { docker: engine } = await openEngine()
    const registry = registryAs('anybody', carrick.variables['FAL_KEY'] ?? '')
    const leaving = new AbortController()
    const large = await baseImage()
    const options = { onLine: () => leaving.abort(new Error('nobody waits')), signal: leaving.signal }
    await expect(registry.push(engine, large, 'tester/given-up', options)).rejects.toThrow('nobody waits')
    const { RepoTags } = await engine.getImage(large).inspect()
    expect(RepoTags?.filter((name) => name.includes('given-up'))).toEqual([])
  })

  test('a refusal is told in the words of the registry', async () => {
    const { docker: engine } = await openEngine()
    const options = { signal: AbortSignal.timeout(60_000) }
    const { variables } = carrick
    const elsewhere = registryAs('anybody', variables['FAL_KEY'] ?? '')
    await expect(elsewhere.push(engine, nameOf('tester/small:v1'), 'others/app', options)).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringContaining('others/app is not yours') as string,
    })
    const { RepoTags } = await engine.getImage(nameOf('tester/small:v1')).inspect()
    expect(RepoTags?.filter((name) => name.includes('others/app'))).toEqual([])
    await expect(
      registryAs('anybody', 'wrong:key').push(engine, nameOf('tester/small:v1'), 'tester/app', options),
    ).rejects.toMatchObject({ code: 'build_failed', message: expect.not.stringContaining('wrong:key') as string })
  })
})

const mayStart = process.getuid?.() === 0

test.skipIf(!mayStart)('an engine of another machine pulls with a key (a second engine; needs root)', async () => {
  expect(await docker(mine, 'push', nameOf('tester/small:v1'))).toMatchObject({ code: 0 })
  await using other = await secondEngine()
  const image = nameOf('tester/small:v1')
  await docker(mine, 'logout', `127.0.0.1:${port}`)
  const denied = await docker(other.host, 'pull', image)
  expect(denied.code).not.toBe(0)
  expect(await login(other.host, carrick.variables['FAL_KEY'] ?? '')).toMatchObject({ code: 0 })
  expect(await docker(other.host, 'pull', image)).toMatchObject({ code: 0 })
  const ids = await Promise.all([mine, other.host].map((host) => docker(host, 'inspect', '--format', '{{.Id}}', image)))
  expect(ids[1]?.said).toBe(ids[0]?.said)
})

/** One that shares nothing with the other but the machine. */
async function secondEngine(): Promise<AsyncDisposable & { readonly host: string }> {
  const folder = await mkdtempDisposable(join(tmpdir(), 'carrick-second-'))
  const at = (name: string) => join(folder.path, name)
  const host = `unix://${at('docker.sock')}`
  await using log = await open(at('log'), 'w')
  const places = ['--host', host, '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')]
  const bridge = await ownBridge()
  const engine = spawn('dockerd', [...places, ...bridge.options], {
    stdio: ['ignore', log.fd, log.fd],
  })
  await expect.poll(async () => (await docker(host, 'version')).code, patient).toBe(0)
  return {
    host,
    async [Symbol.asyncDispose]() {
      engine.kill()
      if (engine.exitCode === null) await once(engine, 'exit')
      await run('umount', [at('exec/netns/default')])
      await bridge[Symbol.asyncDispose]()
      await rm(folder.path, { recursive: true, force: true })
    },
  }
}

test('a server whose images are in the registry of somebody else builds into it, and runs from it', async () => {
  await using other = await Carrick.start({
    CARRICK_BACKEND: 'docker',
    CARRICK_REGISTRY: `127.0.0.1:${port}/tester/team`,
    CARRICK_REGISTRY_USERNAME: 'anybody',
    CARRICK_REGISTRY_PASSWORD: carrick.variables['FAL_KEY'] ?? '',
  })
  const project = join(home.path, 'app')
  await mkdir(project, { recursive: true })
  const serve = 'CMD ["python3", "-m", "http.server", "9000", "--directory", "/"]'
  await writeFile(join(project, 'Dockerfile'), `FROM ${await baseImage()}\nRUN echo hello > /hello\n${serve}\n`)
  const table = ['[tool.fal.apps.pages]', 'exposed_port = 9000', 'machine_type = "XS"', 'keep_alive = 60']
  const image = ['[tool.fal.apps.pages.image]', 'dockerfile = "Dockerfile"', '']
  await writeFile(join(project, 'pyproject.toml'), [...table, ...image].join('\n'))
  const deployed = await other.falIn(project, ['deploy', 'pages'])
  expect(deployed.code, deployed.stdout + deployed.stderr).toBe(0)
  expect(deployed.stdout + deployed.stderr).not.toContain(carrick.variables['FAL_KEY'])
  const { repositories } = (await (await carrick.ask('/v2/_catalog')).json()) as { repositories: string[] }
  expect(repositories).toContain('tester/team/tester/environments')
  const page = await other.ask('/tester/pages/hello')
  expect([page.status, await page.text()]).toEqual([200, 'hello\n'])
  const running = await docker(mine, 'ps', '--format', '{{.Image}}')
  expect(running.said).toContain(`127.0.0.1:${port}/tester/team/tester/environments`)
})

async function baseImage(): Promise<string> {
  const names = await docker(mine, 'images', '--format', '{{.Repository}}:{{.Tag}}')
  return names.said.split('\n').find((name) => /^python:3\.\d+-slim$/.test(name)) ?? ''
}
