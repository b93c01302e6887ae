import { randomBytes } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { Collector } from './collector.ts'
import { openLocalBlobs } from './local-blobs.ts'

const open = async () => openLocalBlobs({ folder: await mkdtemp(join(tmpdir(), 'carrick-collector-')) })
const pieces = (bytes: Buffer) =>
  Readable.from([bytes.subarray(0, 20_000), bytes.subarray(20_000)], { objectMode: false })

test('a small body stays as it is, a large one becomes a blob, an empty one is empty', async () => {
  const blobs = await open()
  for (const length of [0, 1, 32 * 1024]) {
    const bytes = randomBytes(length)
    const collector = new Collector(blobs, 1_000_000)
    await pipeline(pieces(bytes), collector)
    expect(await collector.stored).toEqual({ inline: bytes })
  }
  const large = randomBytes(300_000)
  const collector = new Collector(blobs, 1_000_000)
  await pipeline(pieces(large), collector)
  const stored = await collector.stored
  if (!('blob' in stored)) throw new Error('it is no blob')
  expect(stored.length).toBe(large.length)
  expect((await buffer(await blobs.open(stored.blob))).equals(large)).toBe(true)
})

test('a body beyond the limit is refused, and whoever writes it is told', async () => {
  const collector = new Collector(await open(), 100_000)
  await expect(pipeline(pieces(randomBytes(300_000)), collector)).rejects.toMatchObject({ code: 'body_too_large' })
  await expect(collector.stored).rejects.toMatchObject({ code: 'body_too_large' })
})

test('a body that breaks off is nothing, small or large', async () => {
  const blobs = await open()
  for (const length of [10, 100_000]) {
    const collector = new Collector(blobs, 1_000_000)
    collector.write(randomBytes(length))
    collector.destroy()
    await expect(collector.stored).rejects.toThrow('broke off')
  }
})
