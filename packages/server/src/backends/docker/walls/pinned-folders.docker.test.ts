import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Mount, RunnerBackend } from '../../backend.ts'
import { openEngine, type Engine } from '../engine/engine.ts'
import { createPinnedFolders, pinnedMount } from './pinned-folders.ts'
import { openDocker, testImage } from '../testing.ts'

const never = new AbortController().signal
const patience = { timeout: 30_000, interval: 20 }

let engine: Engine
let folder: string
let account: string
let backend: RunnerBackend
const said: string[] = []

beforeAll(async () => void (engine = await openEngine()))
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-pinned-'))
  account = join(folder, 'account')
  await mkdir(join(account, 'models', 'kept'), { recursive: true })
  await mkdir(join(folder, 'secret'))
  await writeFile(join(account, 'models', 'kept', 'name'), 'of the account')
  await writeFile(join(folder, 'secret', 'name'), 'of the machine')
  backend = await openDocker({ folder: join(folder, 'runners'), installation: randomUUID() })
  said.length = 0
  backend.onOutput((line) => said.push(line.text))
})
afterEach(() => backend.close())
afterAll(() => rm(folder, { recursive: true, force: true }))

const kept = (): Mount => ({
  from: join(account, 'models', 'kept'),
  to: '/data/models/kept',
  readOnly: false,
  within: account,
})

/** Runs a line of shell as a runner of the account with this mount, until it has ended. */
async function run(mount: Mount, script: string): Promise<string> {
  const spec = { id: randomUUID(), appId: 'app', revisionId: 'revision', accountId: 'account', variables: {} }
  const command = ['/bin/sh', '-c', script]
  await backend.start({ ...spec, command, mounts: [mount], image: { reference: testImage } }, never)
  await vi.waitFor(
    async () => expect((await backend.list(never)).get(spec.id)).toMatchObject({ kind: 'exited' }),
    patience,
  )
  await backend.forget(spec.id)
  return said.join('\n')
}

test('a part of /data is there, may be written to, and leaves nothing in the engine', async () => {
  const volumes = async () => (await engine.docker.listVolumes()).Volumes.map(({ Options }) => Options?.['device'])
  const here = `/proc/${process.pid}/`
  const script = 'cat /data/models/kept/name; echo; echo more > /data/models/kept/more; ls /data/models/kept; ls /data'
  expect(await run(kept(), script)).toBe('of the account\nmore\nname\nmodels')
  expect((await volumes()).filter((device) => device?.startsWith(here))).toEqual([])
})

test.each(['models', 'models/kept'])('a link in the place of %s is refused in a sentence', async (path) => {
  await rename(join(account, path), join(account, 'moved'))
  await symlink(join(folder, 'secret'), join(account, path))
  const words = await run(kept(), 'cat /data/models/kept/name')
  expect(words).toContain('/data/models/kept is a link, or leads through one')
  expect(words).not.toContain('of the machine')
})

test('what a runner puts in its place after it was looked at is not what another one gets', async () => {
  const pins = createPinnedFolders()
  const mount = kept()
  const folderOf = (await pins.hold('one', [mount])).get(mount.to)
  await rename(join(account, 'models'), join(account, 'moved'))
  await mkdir(join(account, 'models'))
  await symlink(join(folder, 'secret'), mount.from)
  const container = await engine.docker.createContainer({
    Image: testImage,
    Cmd: ['cat', `${mount.to}/name`],
    Tty: true,
    HostConfig: { Mounts: [pinnedMount(mount, folderOf!)] },
  })
  try {
    const output = await container.attach({ stream: true, stdout: true })
    await container.start()
    await pins.release('one')
    expect(await text(output)).toBe('of the account')
  } finally {
    await container.remove({ force: true, v: true })
  }
})
