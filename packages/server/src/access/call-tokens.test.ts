import { describe, expect, onTestFinished, test } from 'vitest'
import { presets, type Granted } from '../domain/permissions.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'
import { createCallTokens } from './call-tokens.ts'
import { createKeyring } from './memory-keyring.ts'
import { createUploadTokens } from './upload-tokens.ts'

async function openWorld(granted: readonly Granted[] = presets.ADMIN) {
  const store = await openTestStore()
  onTestFinished(() => store.close())
  await addTestAccount(store)
  let now = 1_000_000_000_000
  const clock = { now: () => now }
  const keyring = await createKeyring(store, clock)
  const { keyId, ...rest } = await keyring.mint('account-1', granted, 'test')
  const caller = keyring.identify({ keyId, ...rest })
  if (caller === undefined) throw new Error('no caller')
  const parts = (key: number) => ({ keyring, clock, encryptionKey: new Uint8Array(32).fill(key) })
  const tokens = createCallTokens(parts(1))
  return { keyring, caller, tokens, parts, now: () => now, pass: (ms: number) => (now += ms) }
}

const endpoint = 'ann/echo/realtime'

describe('a token', () => {
  test('calls as the holder of its key, and may do nothing else', async () => {
    const { tokens, caller, now } = await openWorld()
    const token = await tokens.issue(caller, ['echo'], now() + 120_000)
    const identified = await tokens.identify(token, endpoint)
    expect(identified).toMatchObject({ accountId: 'account-1', keyId: caller.keyId, callsOnly: ['echo'] })
    expect([...(identified?.permissions ?? [])]).toEqual(['apps:call'])
  })

  test('is for its apps alone', async () => {
    const { tokens, caller, now } = await openWorld()
    const token = await tokens.issue(caller, ['ann/echo/realtime'], now() + 120_000)
    expect(await tokens.identify(token, 'ann/echo/stream')).toBeUndefined()
  })

  test('ends when it was to end', async () => {
    const { tokens, caller, now, pass } = await openWorld()
    const token = await tokens.issue(caller, ['echo'], now() + 120_000)
    pass(119_000)
    expect(await tokens.identify(token, endpoint)).toBeDefined()
    pass(2_000)
    expect(await tokens.identify(token, endpoint)).toBeUndefined()
  })

  test('ends with its key', async () => {
    const { tokens, caller, keyring, now } = await openWorld()
    const token = await tokens.issue(caller, ['echo'], now() + 120_000)
    await keyring.revoke(caller.keyId)
    expect(await tokens.identify(token, endpoint)).toBeUndefined()
  })

  test('of a key that may not call calls nothing', async () => {
    const { tokens, caller, now } = await openWorld(['apps:read'])
    const token = await tokens.issue(caller, ['echo'], now() + 120_000)
    expect((await tokens.identify(token, endpoint))?.permissions.size).toBe(0)
  })

  test('of another installation, of another kind, or changed is none', async () => {
    const { tokens, caller, parts, now } = await openWorld()
    const token = await tokens.issue(caller, ['echo'], now() + 120_000)
    const [header = '', , signature = ''] = token.split('.')
    const claims = Buffer.from(JSON.stringify({ sub: caller.keyId, exp: now(), apps: ['echo'] })).toString('base64url')
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`
    const others = [
      await createCallTokens(parts(2)).issue(caller, ['echo'], now() + 120_000),
      (await createUploadTokens(parts(1)).issue(caller)).token,
      [header, claims, signature].join('.'),
      unsigned,
      'rubbish',
      '',
    ]
    for (const other of others) expect(await tokens.identify(other, endpoint)).toBeUndefined()
  })
})
