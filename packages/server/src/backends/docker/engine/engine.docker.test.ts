import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isAway, openEngine, wordsOf } from './engine.ts'

const socket = (process.env['DOCKER_HOST'] ?? '').replace('unix://', '')

test('an engine is reached over TCP as over its socket', async () => {
  const proxy = createServer((client) => {
    const engine = connect(socket)
    client.pipe(engine).pipe(client)
    for (const end of [client, engine]) end.on('error', () => {})
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  const { port } = proxy.address() as AddressInfo
  const engine = await openEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` })
  const images = await engine.docker.listImages()
  expect([engine.host, images.length > 0]).toEqual([`tcp://127.0.0.1:${port}`, true])
  expect(engine.facts).toMatchObject({ kind: 'docker', isRootless: false })
})

test('without DOCKER_HOST the socket of a rootless engine is found', async ({ skip }) => {
  skip(existsSync('/var/run/docker.sock'), "this machine has an engine at Docker's usual place, which comes first")
  const folder = await mkdtemp(join(tmpdir(), 'carrick-runtime-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await symlink(socket, join(folder, 'docker.sock'))
  expect((await openEngine({ XDG_RUNTIME_DIR: folder })).host).toBe(`unix://${folder}/docker.sock`)
})

test.each([
  ['unix:///nowhere/docker.sock', /No container engine answers at unix:\/\/\/nowhere\/docker.sock .*--backend process/],
  ['tcp://127.0.0.1:1', /No container engine answers at tcp:\/\/127.0.0.1:1/],
  ['ssh://somewhere', /DOCKER_HOST is "ssh:\/\/somewhere".*must see this machine's files/],
  ['nonsense', /DOCKER_HOST is "nonsense"/],
])('where none is, at %s, people are told what to do', async (host, words) => {
  await expect(openEngine({ DOCKER_HOST: host })).rejects.toThrow(words)
})

test('what an engine says is told apart from its absence', async () => {
  const { docker } = await openEngine()
  const said: unknown = await docker
    .getContainer('no-such-container')
    .inspect()
    .catch((error: unknown) => error)
  expect([isAway(said), wordsOf(said)]).toEqual([false, 'No such container: no-such-container'])
})
