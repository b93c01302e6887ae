import { mkdtempDisposable, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openS3Storage } from '../blobs/s3/index.ts'
import { silent } from '../kit/logger.ts'
import { digestOf, openTestRegistry } from '../testing/registry.ts'
import { startS3, withoutS3 } from '../testing/s3.ts'

describe.skipIf(withoutS3 !== undefined)(`images in a bucket (${withoutS3 ?? 'versitygw'})`, () => {
  test('are pushed, pulled whole and in part, and leave nothing behind on the disk', async () => {
    await using s3 = await startS3()
    await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-registry-s3-'))
    const storage = await openS3Storage({
      options: await s3.newBucket(),
      installation: 'one',
      folder: folder.path,
      log: silent,
    })
    {
      await using registry = await openTestRegistry({ blobs: storage.blobs })
      const layer = Buffer.alloc(3_000_000, 'layer')
      const digest = digestOf(layer)
      const begun = await registry.ask('/v2/ann/app/blobs/uploads/', { method: 'POST' })
      const location = begun.headers.get('location') ?? ''
      expect((await registry.ask(location, { method: 'PATCH', body: layer.subarray(0, 2_000_000) })).status).toBe(202)
      const ended = await registry.ask(`${location}?digest=${digest}`, {
        method: 'PUT',
        body: layer.subarray(2_000_000),
      })
      expect(ended.status).toBe(201)
      const pull = async (headers = {}) => {
        const answer = await registry.ask(`/v2/ann/app/blobs/${digest}`, { headers })
        return Buffer.from(await answer.arrayBuffer())
      }
      expect((await pull()).equals(layer)).toBe(true)
      expect(await pull({ range: 'bytes=2999990-' })).toEqual(layer.subarray(2_999_990))
      await registry.pushImage('ann/app', 'v1')
      expect((await registry.ask('/v2/ann/app/manifests/v1')).status).toBe(200)
      expect(await readdir(join(folder.path, 'blobs', 'incoming'))).toEqual([])
    }
    storage.close()
  })
})
