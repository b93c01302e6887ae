import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { blockBytes } from './blocks.ts'
import { Digests } from './digests.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test.each([
  [0, 300_000],
  [10, 1],
  [blockBytes - 1, 1_000],
  [blockBytes, 300_000],
  [blockBytes, blockBytes],
  [20 * blockBytes, 300_000],
  [20 * blockBytes, blockBytes],
])('the digest of %d bytes is right that come %d at a time', async (size, step) => {
  const digests = new Digests()
  const bytes = randomBytes(size)
  const digest = digests.open()
  for (let at = 0; at < size; at += step) await digest.update(new Uint8Array(bytes.subarray(at, at + step)))
  expect(await digest.sha256()).toBe(sha256(bytes))
  digest.forget()
  await digests.close()
})

test('after its thread has ended, another one computes', async () => {
  const digests = new Digests()
  const large = () => new Uint8Array(blockBytes).fill(7)
  const first = digests.open()
  await first.update(large())
  await digests.close()
  await expect(first.update(large())).rejects.toThrow('going down')
  const second = digests.open()
  await second.update(large())
  expect(await second.sha256()).toBe(sha256(large()))
  await digests.close()
})
