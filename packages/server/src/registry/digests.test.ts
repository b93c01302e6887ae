import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { blockBytes, Blocks, type Piece } from './blocks.ts'
import { Digests } from './digests.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function pieceOf(blocks: Blocks, bytes: Uint8Array): Piece {
  const block = blocks.take()
  block.set(bytes)
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
  for (let at = 0; at < size; at += step) await digest.update([pieceOf(blocks, bytes.subarray(at, at + step))])
  expect(await digest.sha256()).toBe(sha256(bytes))
  digest.forget()
  await digests.close()
})

test('blocks go round: those of a large digest are few', async () => {
  const blocks = new Blocks()
  const digests = new Digests(blocks)
  const digest = digests.open()
  const made = new Set<ArrayBuffer>()
  for (let count = 0; count < 100; count += 1) {
    const block = blocks.take()
    if (block[0] !== 1) made.add(block.buffer)
    block.set([1])
    await digest.update([block])
  }
  expect(await digest.sha256()).toHaveLength(64)
  expect(made.size).toBeLessThan(20)
  await digests.close()
})

test('after its thread has ended, another one computes', async () => {
  const blocks = new Blocks()
  const digests = new Digests(blocks)
  const large = () => new Uint8Array(blockBytes).fill(7)
  const first = digests.open()
  await first.update([large()])
  await digests.close()
  await expect(first.update([large()])).rejects.toThrow('going down')
  const second = digests.open()
  await second.update([large()])
  expect(await second.sha256()).toBe(sha256(large()))
  await digests.close()
})
