import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { RunnerBackend } from '../../backend.ts'
import { openEngine, type Engine } from '../engine/engine.ts'
import { openDocker, testImage } from '../testing.ts'

const never = new AbortController().signal
const patience = { timeout: 30_000, interval: 20 }
const repository = `carrick-test-users-${process.pid}`

let engine: Engine
let folder: string
let backend: RunnerBackend
const said: string[] = []

beforeAll(async () => {
  engine = await openEngine()
  folder = await mkdtemp(join(tmpdir(), 'carrick-users-'))
  backend = await openDocker({ folder, installation: randomUUID() })
  backend.onOutput((line) => said.push(line.text))
})
afterAll(async () => {
  await backend.close()
  const images = await engine.docker.listImages({ filters: { reference: [repository] } })
  await Promise.all(images.map(({ Id }) => engine.docker.getImage(Id).remove({ force: true })))
  await rm(folder, { recursive: true, force: true })
})

/** An image whose `/etc/passwd` has this line, and which is to be run as this user. */
async function imageOf(name: string, line: string, user: string): Promise<string> {
  const { docker } = engine
  const Cmd = ['/bin/sh', '-c', 'echo "$0" >> /etc/passwd', line]
  const container = await docker.createContainer({ Image: testImage, Cmd })
  await container.start()
  await container.wait()
  await container.commit({ repo: repository, tag: name, changes: `USER ${user}` })
  await container.remove({ force: true })
  return `${repository}:${name}`
}

async function userIn(reference: string): Promise<number> {
  said.length = 0
  const spec = { id: randomUUID(), appId: 'app', revisionId: 'revision', accountId: 'account', variables: {} }
  await backend.start({ ...spec, command: ['/usr/bin/id', '-u'], mounts: [], image: { reference } }, never)
  await vi.waitFor(
    async () => expect((await backend.list(never)).get(spec.id)).toMatchObject({ kind: 'exited' }),
    patience,
  )
  await backend.forget(spec.id)
  return Number(said.join(''))
}

test.skipIf(process.getuid?.() !== 0).each([
  ['toor', 'toor:x:0:0::/root:/bin/sh'],
  ['1000', '1000:x:0:0::/root:/bin/sh'],
  ['00', 'other:x:1001:1001::/:/bin/sh'],
])('an image that calls root %s runs as its account all the same (needs a server that is root)', async (user, line) => {
  expect(await userIn(await imageOf(`root-${user}`, line, user))).toBeGreaterThanOrEqual(0x70_00_00_00)
})

test.skipIf(process.getuid?.() !== 0)(
  'an image with a user of its own runs as that one (needs a server that is root)',
  async () => {
    expect(await userIn(await imageOf('app', 'app:x:1001:1001::/home/app:/bin/sh', 'app'))).toBe(1001)
  },
)
