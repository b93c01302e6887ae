import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { silent } from '../kit/logger.ts'
import { startAcme } from './acme.ts'
import { openAcmeFolder } from './acme-folder.ts'
import { createChallenges } from './challenges.ts'
import type { Identity } from './identity.ts'
import { issueAuthority, issueServer } from './issuer.ts'

// What an ACME server makes of it is seen in test/e2e/remote.test.ts, with a real one.

const now = Date.now()
const dayMs = 86_400_000
let folder = ''
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'carrick-acme-'))))
// What the library is in the middle of when a loop stops goes on, and may still write the key of an account.
afterEach(() => rm(folder, { recursive: true, maxRetries: 10 }))

async function start(proofs = { host: '127.0.0.1', port: 0 }, at = now) {
  const log = { ...silent, error: vi.fn() }
  const use = vi.fn<(identity: Identity) => void>()
  const loop = await startAcme({
    folder,
    names: ['fal.example.com'],
    directory: 'https://127.0.0.1:1/dir',
    email: '',
    challenge: 'http-01',
    proofs,
    challenges: createChallenges(),
    identities: { use },
    clock: { now: () => at },
    log,
  })
  onTestFinished(() => loop.stop())
  return { log, use, loop }
}

const tries = async () => JSON.parse(await readFile(join(folder, 'tries.json'), 'utf8').catch(() => '{}')) as unknown

test('an order that fails is said once, with what to do and when it is tried again, and the next start knows of it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void taken.close())
  await expect.poll(() => taken.address()).not.toBeNull()
  const proofs = { host: '127.0.0.1', port: (taken.address() as AddressInfo).port }
  const { log, loop } = await start(proofs)
  await expect.poll(tries, { timeout: 30_000 }).toEqual({ failures: 1, triedAt: now })
  expect(log.error).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ again: new Date(now + 900_000).toISOString() }),
    expect.stringContaining('tried again'),
  )
  expect(String(log.error.mock.calls[0]?.[0].err)).toMatch(/http-01 cannot be answered.*CARRICK_ACME_HTTP_PORT/)
  await loop.stop()
  const again = await start(proofs)
  await again.loop.stop()
  expect(again.log.error).not.toHaveBeenCalled()
})

test('a certificate that is kept is shown at once, and not ordered again before its time; one that has ended is not shown', async () => {
  const kept = await issueServer(await issueAuthority(now), ['fal.example.com'], now)
  await (await openAcmeFolder(folder)).keep(kept)
  expect((await stat(join(folder, 'server.pem'))).mode & 0o777).toBe(0o600)
  const { log, use, loop } = await start()
  await loop.stop()
  expect(use).toHaveBeenCalledExactlyOnceWith({ keyPem: kept.keyPem, certPem: kept.certPem })
  expect(log.error).not.toHaveBeenCalled()
  const later = await start(undefined, now + 400 * dayMs)
  await later.loop.stop()
  expect(later.use).not.toHaveBeenCalled()
})
