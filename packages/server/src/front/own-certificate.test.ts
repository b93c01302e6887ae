import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { silent } from '../kit/logger.ts'
import { createIdentities } from './identities.ts'
import type { Identity } from './identity.ts'
import { issueAuthority, issueServer } from './issuer.ts'
import { useOwnCertificate } from './own-certificate.ts'

const now = Date.now()
const dayMs = 86_400_000
let folder = ''
let ca: Identity
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-own-'))
  ca = await issueAuthority(now)
})
afterEach(() => rm(folder, { recursive: true }))

const files = () => ({ cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') })

async function put({ certPem, keyPem }: Identity): Promise<void> {
  await writeFile(files().cert, certPem)
  await writeFile(files().key, keyPem)
}

/** Shows what is in the files, and answers what is seen of it. */
async function used(names: readonly string[] = [], at = now) {
  const identities = createIdentities(ca)
  const log = { ...silent, warn: vi.fn(), error: vi.fn() }
  const use = vi.fn((identity: Identity) => identities.use(identity))
  const loop = await useOwnCertificate({ files: files(), names, clock: { now: () => at }, log, identities: { use } })
  onTestFinished(() => loop.stop())
  return { identities, log, use, loop }
}

test('it is shown for its names', async () => {
  await put(await issueServer(ca, ['fal.example.com', '*.fal.example.com'], now))
  const { identities } = await used()
  expect(identities.contextFor('fal.example.com')).toBeDefined()
  expect(identities.contextFor('queue.fal.example.com')).toBeDefined()
  expect(identities.contextFor('example.com')).toBeUndefined()
})

test('names that it is not for are told', async () => {
  await put(await issueServer(ca, ['*.example.com'], now))
  const { log } = await used(['fal.example.com', 'gpubox', '10.0.0.1'])
  expect(log.warn).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ names: ['gpubox', '10.0.0.1'] }),
    expect.stringContaining('not for these names'),
  )
})

describe('it is refused in a sentence', () => {
  test('when a file is missing', async () => {
    await expect(used()).rejects.toThrow(/^the certificate cannot be read: ENOENT.*cert\.pem/)
  })

  test.each([
    ['what is no certificate', async () => ({ ...ca, certPem: 'x' }), /cert\.pem holds no certificate/],
    [
      'another private key',
      async () => ({ ...ca, keyPem: (await issueAuthority(now)).keyPem }),
      /key\.pem is not that of/,
    ],
    ['what is no key', async () => ({ ...ca, keyPem: 'x' }), /key\.pem is not that of/],
    ['one that has ended', () => issueServer(ca, ['a.example'], now - 400 * dayMs), /ended on .*put a new one there/],
    ['one that has not begun', () => issueServer(ca, ['a.example'], now + 9 * dayMs), /begins on/],
  ])('when it holds %s', async (_what, made, words) => {
    await put(await made())
    await expect(used()).rejects.toThrow(words)
  })
})

describe('when the files change', () => {
  test('the new one is shown, without a restart', async () => {
    await put(await issueServer(ca, ['a.example'], now))
    const { identities, loop } = await used()
    await put(await issueServer(ca, ['b.example'], now))
    await expect.poll(() => (loop.wake(), identities.contextFor('b.example'))).toBeDefined()
    expect(identities.contextFor('a.example')).toBeUndefined()
  })

  test('to something broken, the one before stays, and it is said once', async () => {
    const good = await issueServer(ca, ['a.example'], now)
    await put(good)
    const { identities, log, use, loop } = await used()
    await rm(files().key)
    await expect.poll(() => (loop.wake(), log.error.mock.calls.length)).toBe(1)
    loop.wake()
    expect(identities.contextFor('a.example')).toBeDefined()
    await put(await issueServer(ca, ['a.example'], now))
    await expect.poll(() => (loop.wake(), use.mock.calls.length)).toBe(2)
    expect(log.error).toHaveBeenCalledTimes(1)
    expect(new X509Certificate(use.mock.lastCall?.[0].certPem ?? '').raw).not.toEqual(
      new X509Certificate(good.certPem).raw,
    )
  })
})
