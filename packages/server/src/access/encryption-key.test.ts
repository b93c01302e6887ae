import { randomBytes } from 'node:crypto'
import { access, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../kit/clock.ts'
import { addTestAccount, openTestStore, type TestStore } from '../testing/store.ts'
import { openEncryptionKey, rotateEncryptionKey } from './encryption-key.ts'
import { createSigner } from './signer.ts'
import { createVault } from './vault.ts'

const main = { accountId: 'account-1', environment: 'main' }
let folder = ''
let file = ''
let store: TestStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-key-'))
  file = join(folder, 'encryption.key')
  store = await openTestStore()
  await addTestAccount(store)
})
afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

const vault = async () =>
  createVault({ store, clock: systemClock(), encryptionKey: await openEncryptionKey(store, file) })

async function plant(): Promise<void> {
  await store.commit((await vault()).keep(main, 'TOKEN', 'hf_1234', undefined))
}

const planted = async () => (await vault()).exposed(main, undefined)
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

describe('a rotation', () => {
  test('puts every secret under a new key, and the old one is gone', async () => {
    await plant()
    const old = await readFile(file)
    const sealed = await store.read({
      statement: { text: 'select value from secret', values: [] },
      result: (rows) => rows,
    })
    expect(await rotateEncryptionKey(store, file)).toBe(1)
    expect((await readFile(file)).equals(old)).toBe(false)
    expect(
      await store.read({ statement: { text: 'select value from secret', values: [] }, result: (rows) => rows }),
    ).not.toEqual(sealed)
    expect(await planted()).toEqual({ TOKEN: 'hf_1234' })
    const withOld = createVault({ store, clock: systemClock(), encryptionKey: old })
    await expect(withOld.exposed(main, undefined)).rejects.toThrow('the secret "TOKEN" of environment "main" cannot be')
  })

  test('keeps the key that webhooks are signed with', async () => {
    const published = async () =>
      createSigner({ store, encryptionKey: await openEncryptionKey(store, file) }).publicKeys()
    const before = await published()
    expect(await rotateEncryptionKey(store, file)).toBe(0)
    expect(await published()).toEqual(before)
    await rm(file)
    await expect(openEncryptionKey(store, file)).rejects.toThrow(/backup/)
  })

  test('that a crash cut short before its commit has not happened', async () => {
    await plant()
    const old = await readFile(file)
    await writeFile(`${file}.next`, randomBytes(32))
    expect(await planted()).toEqual({ TOKEN: 'hf_1234' })
    expect((await readFile(file)).equals(old)).toBe(true)
    expect(await isThere(`${file}.next`)).toBe(false)
  })

  test('that a crash cut short after its commit is completed by the next start', async () => {
    await plant()
    const old = await readFile(file)
    await rotateEncryptionKey(store, file)
    await rename(file, `${file}.next`)
    await writeFile(file, old)
    expect(await planted()).toEqual({ TOKEN: 'hf_1234' })
    expect(await isThere(`${file}.next`)).toBe(false)
    expect(await planted()).toEqual({ TOKEN: 'hf_1234' })
  })
})

describe('a start refuses', () => {
  test('another key than the one that the secrets are under, and leaves it as it is', async () => {
    await plant()
    const other = randomBytes(32)
    await writeFile(file, other)
    await expect(planted()).rejects.toThrow('is not the key that the stored secrets are encrypted with')
    expect((await readFile(file)).equals(other)).toBe(true)
  })

  test('to make a new key while there are secrets', async () => {
    await plant()
    await rm(file)
    await expect(planted()).rejects.toThrow('is gone: put back the copy')
    expect(await isThere(file)).toBe(false)
  })
})

test('without secrets a lost key is made anew', async () => {
  await openEncryptionKey(store, file)
  await rm(file)
  expect(await openEncryptionKey(store, file)).toHaveLength(32)
})
