import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Digests } from './digests.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test.each([0, 10, 1024 * 1024, 20 * 1024 * 1024])(
  'the digest of %d bytes is right, whatever pieces they come in',
  async (size) => {
    const digests = new Digests()
    const bytes = randomBytes(size)
    const expected = sha256(bytes)
    const digest = digests.open()
    for (let at = 0; at < size; at += 300_000) {
      // Pieces of one memory, and pieces that have their own.
      const piece = bytes.subarray(at, at + 300_000)
      await digest.update([at % 600_000 === 0 ? piece : Buffer.from(new Uint8Array(piece).buffer)])
    }
    expect(await digest.sha256()).toBe(expected)
    digest.forget()
    await digests.close()
  },
)

test('after its thread has ended, another one computes', async () => {
  const digests = new Digests()
  const large = () => Buffer.alloc(2 * 1024 * 1024, 'x')
  const first = digests.open()
  await first.update([large()])
  await digests.close()
  await expect(first.update([large()])).rejects.toThrow('going down')
  const second = digests.open()
  await second.update([large()])
  expect(await second.sha256()).toBe(sha256(large()))
  await digests.close()
})
