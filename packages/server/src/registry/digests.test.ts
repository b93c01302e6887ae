import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { blockBytes, Blocks, copyInto, type Piece } from './blocks.ts'
import { Digests } from './digests.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function pieceOf(blocks: Blocks, bytes: Uint8Array): Piece {
  const block = blocks.take()
  copyInto(block, 0, bytes)
  return block.subarray(0, bytes.length)
}

test.each([
  [0, 300_000],
  [10, 1],
  [blockBytes - 1, 1_000],
  [blockBytes, 300_000],
  [blockBytes, blockBytes],
  [20 * blockBytes, 300_000],
  [20 * blockBytes, blockBytes],
])('the digest of %d bytes is right that come %d at a time', async (size, step) => {
  const blocks = new Blocks()
  const digests = new Digests(blocks)
  const bytes = randomBytes(size)
  const digest = digests.open()
  for (let at = 0; at < size; at += step) await digest.update(pieceOf(blocks, bytes.subarray(at, at + step)))
  expect(await digest.sha256()).toBe(sha256(bytes))
  digest.forget()
  await digests.close()
})

test('after its thread has ended, another one computes', async () => {
  const blocks = new Blocks()
  const digests = new Digests(blocks)
  const large = () => blocks.take().fill(7)
  const first = digests.open()
  await first.update(large())
  await digests.close()
  await expect(first.update(large())).rejects.toThrow('going down')
  const second = digests.open()
  await second.update(large())
  expect(await second.sha256()).toBe(sha256(large()))
  await digests.close()
})
