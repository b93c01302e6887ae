import { mkdtempDisposable, open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Blocks } from './blocks.ts'
import { PieceWriter } from './piece-writer.ts'

const blocks = new Blocks()
const piece = (byte: number, length: number) => blocks.take().fill(byte).subarray(0, length)

test('pieces are written one behind the other, though nobody waits', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-pieces-'))
  const path = join(folder.path, 'file')
  await using file = await open(path, 'wx')
  const writer = new PieceWriter(file)
  const lengths = Array.from({ length: 20 }, (_, at) => at * 1_000)
  await Promise.all(lengths.map((length, at) => writer.write(piece(at, length))))
  const whole = Buffer.concat(lengths.map((length, at) => Buffer.alloc(length, at)))
  expect((await readFile(path)).equals(whole)).toBe(true)
})

test('after a disk was full nothing more is written', async () => {
  await using file = await open('/dev/full', 'w')
  const writer = new PieceWriter(file)
  await expect(writer.write(piece(1, 10))).rejects.toThrow('ENOSPC')
  await expect(writer.write(piece(1, 10))).rejects.toThrow('ENOSPC')
})
