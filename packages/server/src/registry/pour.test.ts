import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { blockBytes, Blocks, type Piece } from './blocks.ts'
import { pour } from './pour.ts'

const seen = () => {}
const chunk = (byte: number) => Buffer.allocUnsafeSlow(blockBytes / 4).fill(byte)
const endless = () =>
  new Readable({
    read() {
      this.push(chunk(1))
    },
  })

test('what comes is stored in order and whole', async () => {
  const stored: Buffer[] = []
  const store = async (piece: Piece) => void stored.push(Buffer.from(piece))
  const sizes = [1, 70_000, 3 * blockBytes, 5]
  await pour(Readable.from(sizes.map((size, at) => Buffer.alloc(size, at))), { blocks: new Blocks(), seen, store })
  expect(Buffer.concat(stored).equals(Buffer.concat(sizes.map((size, at) => Buffer.alloc(size, at))))).toBe(true)
})

test('a source that breaks is an error after what it gave is stored, and all blocks come back', async () => {
  const blocks = new Blocks()
  let bytes = 0
  const store = async ({ length }: Piece) => {
    await new Promise(setImmediate)
    bytes += length
  }
  const source = Readable.from(
    (function* () {
      for (let count = 0; count < 9; count += 1) yield chunk(count)
      throw new Error('it broke')
    })(),
  )
  await expect(pour(source, { blocks, seen, store })).rejects.toThrow('it broke')
  expect(bytes).toBe(9 * (blockBytes / 4))
  expect(blocks.inUse).toBe(0)
})

test('what cannot be stored ends it, once nobody looks at a block any more', async () => {
  const blocks = new Blocks()
  let count = 0
  const store = async () => {
    count += 1
    if (count === 3) throw new Error('the disk is full')
    await new Promise(setImmediate)
  }
  const source = endless()
  await expect(pour(source, { blocks, seen, store })).rejects.toThrow('the disk is full')
  expect(blocks.inUse).toBe(0)
  expect(source.destroyed).toBe(false)
})

test.each([
  ['some blocks are on the way of a source, and no more', 0, 17],
  ['few are where many others are', 100, 3],
])('%s', async (_, others, most) => {
  const blocks = new Blocks()
  for (let count = 0; count < others; count += 1) blocks.take()
  const waiting: (() => void)[] = []
  const store = () => new Promise<void>((resolve) => waiting.push(resolve))
  let left = 200
  const source = new Readable({
    read() {
      this.push(left-- > 0 ? chunk(1) : null)
    },
  })
  const poured = pour(source, { blocks, seen, store })
  while (waiting.length > 0 || left > 0) {
    await new Promise(setImmediate)
    expect(blocks.inUse - others).toBeLessThanOrEqual(most)
    waiting.shift()?.()
  }
  await poured
})
