import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../kit/clock.ts'
import { addEnvironment, deleteEnvironment, environmentExists } from '../store/environments.ts'
import { deleteSecret, secretsOf } from '../store/secrets.ts'
import { done, sql, write } from '../store/sql.ts'
import { addTestAccount, openTestStore, type TestStore } from '../testing/store.ts'
import { createVault, type Vault } from './vault.ts'

const main = { accountId: 'account-1', environment: 'main' }
const staging = { accountId: 'account-1', environment: 'staging' }
let store: TestStore
let vault: Vault

beforeEach(async () => {
  store = await openTestStore()
  await addTestAccount(store)
  vault = createVault({ store, clock: systemClock(), encryptionKey: new Uint8Array(32) })
})
afterEach(() => store.close())

const keep = (
  name: string,
  value: string,
  { scope = main, exposed }: { scope?: typeof main; exposed?: boolean } = {},
) => store.commit(vault.keep(scope, name, value, exposed))

test('an app without a list sees what is exposed by default, one with a list exactly that', async () => {
  await keep('OPEN', 'one')
  await keep('CLOSED', 'two', { exposed: false })
  expect(await vault.exposed(main, undefined)).toEqual({ OPEN: 'one' })
  expect(await vault.exposed(main, ['CLOSED'])).toEqual({ CLOSED: 'two' })
  expect(await vault.exposed(main, [])).toEqual({})
})

test('a secret that is set again has the new value, and keeps its flag and its age unless told otherwise', async () => {
  await keep('CLOSED', 'one', { exposed: false })
  const [before] = await store.read(secretsOf(main))
  await keep('CLOSED', 'two')
  const [after] = await store.read(secretsOf(main))
  expect(after).toMatchObject({ defaultExposed: false, createdAt: before?.createdAt })
  await keep('CLOSED', 'three', { exposed: true })
  expect(await vault.exposed(main, undefined)).toEqual({ CLOSED: 'three' })
})

test('environments share no secrets, and fall back on none', async () => {
  await store.commit(addEnvironment('account-1', { name: 'staging', createdAt: 1 }))
  await keep('TOKEN', 'of main')
  expect(await vault.exposed(staging, undefined)).toEqual({})
  await keep('TOKEN', 'of staging', { scope: staging })
  expect(await vault.exposed(main, undefined)).toEqual({ TOKEN: 'of main' })
  await store.commit(deleteSecret(staging, 'TOKEN'))
  expect(await vault.exposed(main, ['TOKEN'])).toEqual({ TOKEN: 'of main' })
})

test('a secret needs an environment, and goes with it', async () => {
  expect(await keep('TOKEN', 'early', { scope: staging })).toBe(false)
  await store.commit(addEnvironment('account-1', { name: 'staging', createdAt: 1 }))
  expect(await keep('TOKEN', 'in time', { scope: staging })).toBe(true)
  expect(await store.commit(deleteEnvironment('account-1', 'staging', 2))).toBe(true)
  expect(await store.read(environmentExists('account-1', 'staging'))).toBe(false)
  expect(await store.read(secretsOf(staging))).toEqual([])
})

test('values that somebody swapped in the database open nowhere', async () => {
  await keep('ONE', 'first value')
  await keep('TWO', 'second value')
  const swap = sql`update secret set value = (select value from secret where name = 'TWO') where name = 'ONE'`
  await store.commit(write([swap], done))
  await expect(vault.exposed(main, undefined)).rejects.toThrow('the secret "ONE" of environment "main" cannot be')
})

test('a fingerprint tells values apart, and installations', () => {
  const other = createVault({ store, clock: systemClock(), encryptionKey: new Uint8Array(32).fill(1) })
  expect(vault.fingerprint('one')).toBe(vault.fingerprint('one'))
  expect(vault.fingerprint('one')).not.toBe(vault.fingerprint('two'))
  expect(vault.fingerprint('one')).not.toBe(other.fingerprint('one'))
})
