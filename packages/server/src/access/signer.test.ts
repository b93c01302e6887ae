import { createPublicKey, randomBytes, verify, type JsonWebKey } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestStore, type TestStore } from '../testing/store.ts'
import { createSigner } from './signer.ts'

const encryptionKey = randomBytes(32)
let store: TestStore
beforeEach(async () => void (store = await openTestStore()))
afterEach(() => store.close())

const signer = () => createSigner({ store, encryptionKey })

test('what is signed is verified with every published key, also by another process of the installation', async () => {
  const signature = Buffer.from(await signer().sign('a\nb'), 'hex')
  expect(signature).toHaveLength(64)
  const { keys } = await signer().publicKeys()
  for (const key of keys) {
    const publicKey = createPublicKey({ key: { ...key } satisfies JsonWebKey, format: 'jwk' })
    expect(verify(null, Buffer.from('a\nb'), publicKey, signature)).toBe(true)
    expect(verify(null, Buffer.from('a\nc'), publicKey, signature)).toBe(false)
  }
})

test('the key is published as the RFC has it, and once more with padding', async () => {
  const { keys } = await signer().publicKeys()
  expect(keys.map(({ x }) => x.length)).toEqual([43, 44])
  expect(keys[1]?.x).toBe(`${keys[0]?.x}=`)
  expect(Object.keys(keys[0] ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
})

test('two that begin at once have one key', async () => {
  const sets = await Promise.all([signer().publicKeys(), signer().publicKeys()])
  expect(sets[0]).toEqual(sets[1])
})

test('the private half is nowhere in clear, and another encryption key does not open it', async () => {
  await signer().publicKeys()
  const [{ value } = { value: '' }] = await store.read({
    statement: { text: "select value from installation where name = 'signing_key'", values: [] },
    result: (rows) => rows,
  })
  expect(Buffer.from(String(value), 'base64').toString('latin1')).not.toContain('PRIVATE KEY')
  await expect(createSigner({ store, encryptionKey: randomBytes(32) }).publicKeys()).rejects.toThrow(/another key/)
})
