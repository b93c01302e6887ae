import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openDocker, testImage } from './testing.ts'

test('a container is started, reached where it is told, ended and forgotten', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-runners-'))
  const backend = await openDocker({ folder, installation: randomUUID() })
  const { signal } = new AbortController()
  const id = randomUUID()
  const command = ['python3', '-m', 'http.server', '8080']
  const image = { reference: testImage }
  await backend.start(
    { id, appId: 'app', revisionId: 'revision', accountId: 'account', command, image, variables: {}, mounts: [] },
    signal,
  )
  const address = await vi.waitFor(
    async () => {
      const seen = (await backend.list(signal)).get(id)
      if (seen?.kind !== 'accepting') throw new Error(`it is ${seen?.kind}`)
      return seen.address
    },
    { timeout: 20_000, interval: 10 },
  )
  expect((await fetch(`http://${address.host}:${address.port}/`)).status).toBe(200)
  await backend.kill(id, signal)
  expect((await backend.list(signal)).get(id)).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
  await backend.forget(id)
  expect((await backend.list(signal)).size).toBe(0)
  await backend.close()
  await rm(folder, { recursive: true })
})
