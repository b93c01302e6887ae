import { describe, expect, onTestFinished, test } from 'vitest'
import { presets, type Granted } from '../domain/permissions.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'
import { createKeyring } from './memory-keyring.ts'
import { createUploadTokens } from './upload-tokens.ts'

const hour = 3_600_000

async function openWorld(granted: readonly Granted[] = presets.ADMIN) {
  const store = await openTestStore()
  onTestFinished(() => store.close())
  await addTestAccount(store)
  let now = 1_000_000_000_000
  const clock = { now: () => now }
  const keyring = await createKeyring(store, clock)
  const credentials = await keyring.mint('account-1', granted, 'test')
  const caller = keyring.identify(credentials)
  if (caller === undefined) throw new Error('no caller')
  const tokensUnder = (key: number) =>
    createUploadTokens({ keyring, clock, encryptionKey: new Uint8Array(32).fill(key) })
  const tokens = tokensUnder(1)
  return { keyring, credentials, caller, tokens, tokensUnder, pass: (ms: number) => (now += ms), now: () => now }
}

const bearer = (token: string) => `Bearer ${token}`
/** The same text with one character of it changed. */
const altered = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)

describe('a token', () => {
  test('calls as the holder of its key, for files and values alone', async () => {
    const { tokens, caller } = await openWorld()
    const { token } = await tokens.issue(caller)
    const identified = await tokens.identify(bearer(token))
    expect(identified).toMatchObject({ accountId: 'account-1', nickname: 'ann', keyId: caller.keyId })
    expect([...(identified?.permissions ?? [])].toSorted()).toEqual(['kv:read', 'kv:write', 'storage:upload'])
  })

  test('may no more than its key', async () => {
    const { tokens, caller } = await openWorld(['storage:upload', 'apps:read'])
    const identified = await tokens.identify(bearer((await tokens.issue(caller)).token))
    expect([...(identified?.permissions ?? [])]).toEqual(['storage:upload'])
  })

  test('counts longer than the hour that clients ask for, and not for a day', async () => {
    const { tokens, caller, pass } = await openWorld()
    const { token, expiresAt } = await tokens.issue(caller)
    pass(2 * hour)
    expect(await tokens.identify(bearer(token))).toBeDefined()
    pass(22 * hour)
    expect(await tokens.identify(bearer(token))).toBeUndefined()
    expect(expiresAt).toBeLessThan(1_000_000_000_000 + 24 * hour)
  })

  test('buys no token that outlives it', async () => {
    const { tokens, caller, pass } = await openWorld()
    const first = await tokens.issue(caller)
    pass(hour)
    const holder = await tokens.identify(bearer(first.token))
    const second = await tokens.issue(holder!)
    expect(second.expiresAt).toBeLessThanOrEqual(first.expiresAt)
  })

  test('ends with its key', async () => {
    const { tokens, caller, keyring } = await openWorld()
    const { token } = await tokens.issue(caller)
    await keyring.revoke(caller.keyId)
    expect(await tokens.identify(bearer(token))).toBeUndefined()
  })

  test('that was altered anywhere is none', async () => {
    const { tokens, caller } = await openWorld()
    const { token } = await tokens.issue(caller)
    const places = [0, 5, token.indexOf('.') + 3, token.lastIndexOf('.') + 2]
    for (const at of places) expect(await tokens.identify(bearer(altered(token, at)))).toBeUndefined()
  })

  test('of another installation, without a signature, or made for an upload, is none', async () => {
    const { tokens, tokensUnder, caller, now } = await openWorld()
    const [, claims] = (await tokens.issue(caller)).token.split('.')
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`
    const foreign = (await tokensUnder(2).issue(caller)).token
    const ticket = await tokens.ticketFor({ objectId: 'object', keyId: caller.keyId }, now() + hour)
    for (const token of [unsigned, foreign, ticket, '', 'x'])
      expect(await tokens.identify(bearer(token))).toBeUndefined()
  })

  test('is read from no other scheme', async () => {
    const { tokens, caller } = await openWorld()
    const { token } = await tokens.issue(caller)
    expect(await tokens.identify(`Key ${token}`)).toBeUndefined()
    expect(await tokens.identify(undefined)).toBeUndefined()
  })
})

describe('a ticket', () => {
  test('leads to its upload until it ends, or its key does', async () => {
    const { tokens, caller, keyring, pass, now } = await openWorld()
    const ticket = { objectId: 'object', keyId: caller.keyId }
    const text = await tokens.ticketFor(ticket, now() + hour)
    expect(await tokens.redeem(text)).toEqual(ticket)
    expect(await tokens.redeem(altered(text, text.indexOf('.') + 8))).toBeUndefined()
    pass(2 * hour)
    expect(await tokens.redeem(text)).toBeUndefined()
    const again = await tokens.ticketFor(ticket, now() + hour)
    await keyring.revoke(caller.keyId)
    expect(await tokens.redeem(again)).toBeUndefined()
  })

  test('is no token, and a token is no ticket', async () => {
    const { tokens, caller } = await openWorld()
    expect(await tokens.redeem((await tokens.issue(caller)).token)).toBeUndefined()
  })
})
