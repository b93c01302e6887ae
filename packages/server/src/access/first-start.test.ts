import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { permissions } from '../domain/permissions.ts'
import { systemClock } from '../kit/clock.ts'
import { allAccounts } from '../store/accounts.ts'
import { liveKeys, revokeKey } from '../store/keys.ts'
import type { Store } from '../store/store.ts'
import { openTestStore, type TestStore } from '../testing/store.ts'
import { ensureInstallation, type Installation } from './first-start.ts'
import { createKeyring } from './memory-keyring.ts'

const clock = systemClock()
let path = ''
let store: TestStore

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'carrick-first-'))
  store = await openTestStore()
})
afterEach(async () => {
  await store.close()
  await rm(path, { recursive: true })
})

const credentialsFile = () => join(path, 'credentials.json')
const encryptionKeyFile = () => join(path, 'encryption.key')

function start(owner?: string, on: Store = store): Promise<Installation> {
  const folder = { path, credentialsFile: credentialsFile(), encryptionKeyFile: encryptionKeyFile() }
  return ensureInstallation({ store: on, clock, folder, owner })
}

async function expectWhole(installation: Installation): Promise<void> {
  const caller = (await createKeyring(store, clock)).identify(installation.credentials)
  expect(caller).toMatchObject({ accountId: installation.accountId, nickname: 'alice' })
  expect(caller?.permissions).toEqual(new Set(permissions))
  expect(await store.read(allAccounts())).toHaveLength(1)
  const written: unknown = JSON.parse(await readFile(credentialsFile(), 'utf8'))
  const { keyId, secret } = installation.credentials
  expect(written).toEqual({ key_id: keyId, key_secret: secret, nickname: 'alice' })
}

describe('the first start', () => {
  test('makes an account, an ADMIN key and an encryption key', async () => {
    const installation = await start('alice')
    await expectWhole(installation)
    expect(installation.encryptionKey).toHaveLength(32)
    for (const file of [credentialsFile(), encryptionKeyFile()]) expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('takes the login name when no owner is asked for', async () => {
    expect((await start()).nickname).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  })

  test.each([
    ['queue', 'cannot be an owner'],
    ['Not A Name', 'such as "not-a-name"'],
  ])('refuses the owner %j and leaves nothing', async (owner, sentence) => {
    await expect(start(owner)).rejects.toThrow(sentence)
    expect(await store.read(allAccounts())).toEqual([])
    await expectWhole(await start('alice'))
  })
})

describe('a later start', () => {
  test('changes nothing', async () => {
    const first = await start('alice')
    expect(await start('alice')).toEqual(first)
    expect(await start()).toEqual(first)
    expect(await store.read(liveKeys())).toHaveLength(1)
  })

  test('with another owner says whose folder it is', async () => {
    await start('alice')
    await expect(start('bob')).rejects.toThrow(`the data folder ${path} belongs to "alice"`)
  })

  test.each(['', '{"key_id": "cut of', '{"key_id":"a"}', 'null'])(
    'replaces a credentials file that reads %j',
    async (text) => {
      await start('alice')
      await writeFile(credentialsFile(), text)
      await expectWhole(await start('alice'))
    },
  )

  test('makes a new key when the old one was revoked', async () => {
    const { credentials } = await start('alice')
    await store.commit(revokeKey(credentials.keyId, clock.now()))
    const later = await start('alice')
    expect(later.credentials.keyId).not.toBe(credentials.keyId)
    await expectWhole(later)
  })

  test('makes a new key when the secret in the file is wrong', async () => {
    const { credentials } = await start('alice')
    await writeFile(
      credentialsFile(),
      JSON.stringify({ key_id: credentials.keyId, key_secret: 'x', nickname: 'alice' }),
    )
    await expectWhole(await start('alice'))
  })

  test('refuses a damaged encryption key', async () => {
    await start('alice')
    await writeFile(encryptionKeyFile(), 'short')
    await expect(start('alice')).rejects.toThrow('it must hold 32 bytes')
  })
})

test.each([0, 1, 2, 3, 4, 5])(
  'a first start that was cut off at step %i of the store is completed by the next',
  async (step) => {
    await start('alice', cutOffAt(step)).catch(() => {})
    await expectWhole(await start('alice'))
  },
)

/** The store, until its step number `step`: that one and all after it fail. */
function cutOffAt(step: number): Store {
  let taken = 0
  const tick = () => {
    if (taken++ >= step) throw new Error('cut off')
  }
  return {
    commit: async (write) => (tick(), store.commit(write)),
    read: async (read) => (tick(), store.read(read)),
    onChange: (topic, listener) => store.onChange(topic, listener),
    close: () => store.close(),
  }
}
