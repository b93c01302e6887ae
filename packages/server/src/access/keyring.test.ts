import { describe, expect, test } from 'vitest'
import { permissions, presets } from '../domain/permissions.ts'
import { systemClock } from '../kit/clock.ts'
import { addAccount, beginInstallation } from '../store/accounts.ts'
import { liveKeys, revokeKey, revokeRunnerKey } from '../store/keys.ts'
import { sql, write, done } from '../store/sql.ts'
import { openTestStore } from '../testing/store.ts'
import { createKeyring } from './memory-keyring.ts'

const clock = systemClock()

async function openKeyring() {
  const store = await openTestStore()
  await store.commit(addAccount({ id: 'alice-id', nickname: 'alice', fullName: 'Alice', createdAt: clock.now() }))
  const keyring = await createKeyring(store, clock)
  return { store, keyring, [Symbol.asyncDispose]: () => store.close() }
}

describe('the end of a key is told', () => {
  test('to all who asked for it, of that key alone, and at once to those who ask later', async () => {
    await using at = await openKeyring()
    const [key, other] = await Promise.all(
      ['one', 'two'].map((alias) => at.keyring.mint('alice-id', presets.API, alias)),
    )
    const ends = at.keyring.endOf(key!.keyId)
    const others = at.keyring.endOf(other!.keyId)
    expect(at.keyring.endOf(key!.keyId)).toBe(ends)
    await at.store.commit(revokeKey(key!.keyId, clock.now()))
    await at.keyring.refresh()
    expect([ends.aborted, others.aborted]).toEqual([true, false])
    expect(at.keyring.endOf(key!.keyId).aborted).toBe(true)
    expect(at.keyring.endOf('nobody').aborted).toBe(true)
  })

  test('for the key of a runner too', async () => {
    await using at = await openKeyring()
    const { keyId } = await at.keyring.mint('alice-id', presets.RUNNER, 'runner')
    const ends = at.keyring.endOf(keyId)
    at.keyring.forget(keyId)
    expect(ends.aborted).toBe(true)
  })
})

describe('a minted key', () => {
  test('names its account and carries its permissions, at once', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.API, 'laptop')
    expect(at.keyring.identify(key)).toEqual({
      accountId: 'alice-id',
      nickname: 'alice',
      keyId: key.keyId,
      permissions: new Set(presets.API),
      operator: false,
    })
  })

  test('is known to a keyring that starts later', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.ADMIN, '')
    expect((await createKeyring(at.store, clock)).identify(key)?.nickname).toBe('alice')
  })

  test('is stored as a hash, its secret nowhere', async () => {
    await using at = await openKeyring()
    const { secret } = await at.keyring.mint('alice-id', presets.ADMIN, '')
    const [stored] = await at.store.read(liveKeys())
    expect(stored?.secretHash).toHaveLength(32)
    expect(Buffer.from(stored?.secretHash ?? []).includes(secret)).toBe(false)
    expect(JSON.stringify({ ...stored, secretHash: undefined })).not.toContain(secret)
  })

  test('is needed whole: a wrong secret, another key or none is nobody', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.ADMIN, '')
    const other = await at.keyring.mint('alice-id', presets.ADMIN, '')
    expect(at.keyring.identify({ ...key, secret: other.secret })).toBeUndefined()
    expect(at.keyring.identify({ ...key, secret: '' })).toBeUndefined()
    expect(at.keyring.identify({ ...key, keyId: 'unknown' })).toBeUndefined()
    expect(at.keyring.identify({ keyId: '__proto__', secret: 'x' })).toBeUndefined()
  })

  test('of many minted at a time, each is known when its own mint is done', async () => {
    await using at = await openKeyring()
    const known = Array.from({ length: 50 }, async () => {
      const key = await at.keyring.mint('alice-id', presets.RUNNER, 'runner')
      return at.keyring.identify(key)?.keyId === key.keyId
    })
    expect(await Promise.all(known)).not.toContain(false)
  })
})

describe('a revoked key', () => {
  test('is nobody once its revocation is done', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.ADMIN, '')
    await at.keyring.revoke(key.keyId)
    expect(at.keyring.identify(key)).toBeUndefined()
  })

  test('stops within a second when somebody else revoked it', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.ADMIN, '')
    await at.store.commit(revokeKey(key.keyId, clock.now()))
    await expect.poll(() => at.keyring.identify(key), { timeout: 10_000 }).toBeUndefined()
  })

  test('may be revoked again', async () => {
    await using at = await openKeyring()
    const key = await at.keyring.mint('alice-id', presets.ADMIN, '')
    await at.keyring.revoke(key.keyId)
    await expect(at.keyring.revoke(key.keyId)).resolves.toBeUndefined()
  })
})

describe("a runner's key", () => {
  const stored = async ({ keyring, store }: Awaited<ReturnType<typeof openKeyring>>) => {
    const { credentials, write: addition } = keyring.prepare('alice-id', presets.RUNNER, 'runner', 'runner')
    await store.commit(addition)
    return credentials
  }

  test('counts soon after the keyring is told of it, and no more once it is told of its end', async () => {
    await using at = await openKeyring()
    const key = await stored(at)
    at.keyring.learn(key.keyId)
    await expect.poll(() => at.keyring.identify(key)).toMatchObject({ accountId: 'alice-id' })
    await at.store.commit(revokeRunnerKey(key.keyId, clock.now()))
    at.keyring.forget(key.keyId)
    expect(at.keyring.identify(key)).toBeUndefined()
  })

  test('is what the keyring was told last, also while all keys are being read', async () => {
    await using at = await openKeyring()
    const [gone, kept] = [await stored(at), await stored(at)]
    at.keyring.learn(gone.keyId)
    at.keyring.learn(kept.keyId)
    const refreshed = at.keyring.refresh()
    await at.store.commit(revokeRunnerKey(gone.keyId, clock.now())) // the read may have begun before
    at.keyring.forget(gone.keyId)
    await refreshed
    await expect.poll(() => at.keyring.identify(kept)).toBeDefined()
    expect(at.keyring.identify(gone)).toBeUndefined()
  })
})

test('a key for everything looks after accounts in the first account only', async () => {
  await using at = await openKeyring()
  await at.store.commit(
    beginInstallation('installation', { id: 'first-id', nickname: 'first', fullName: 'First', createdAt: clock.now() }),
  )
  const first = await at.keyring.mint('first-id', presets.ADMIN, '')
  const other = await at.keyring.mint('alice-id', presets.ADMIN, '')
  expect(at.keyring.identify(first)?.permissions).toEqual(new Set(permissions))
  expect(at.keyring.identify(other)?.permissions).not.toContain('accounts:write')
  expect(at.keyring.identify(other)?.permissions).toContain('keys:write')
})

test('a permission that this version does not know grants nothing', async () => {
  await using at = await openKeyring()
  const key = await at.keyring.mint('alice-id', ['apps:read'], '')
  await at.store.commit(write([sql`update api_key set permissions = '["apps:read","moon:land"]'`], done, ['key']))
  await at.keyring.refresh()
  expect(at.keyring.identify(key)?.permissions).toEqual(new Set(['apps:read']))
})
