import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { noteWhereabouts, requireWhereabouts } from './whereabouts.ts'

async function dataFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-whereabouts-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const folders = { blobs: join(folder, 'blobs'), objects: join(folder, 'objects') }
  await mkdir(join(folders.blobs, 'ab'), { recursive: true })
  return folders
}

test('a new data folder may keep its bytes anywhere, and then keeps to that', async () => {
  const folders = await dataFolder()
  await requireWhereabouts(folders, '')
  await requireWhereabouts(folders, 's3://bucket/one')
  await noteWhereabouts(folders, 's3://bucket/one')
  await requireWhereabouts(folders, 's3://bucket/one')
  await expect(requireWhereabouts(folders, 's3://bucket/two')).rejects.toThrow('kept at s3://bucket/one')
  await expect(requireWhereabouts(folders, '')).rejects.toThrow('set CARRICK_BLOBS to that')
})

test('a data folder that holds bytes is told how to move them', async () => {
  const folders = await dataFolder()
  await writeFile(join(folders.blobs, 'ab', 'ab'.repeat(32)), 'a blob')
  await requireWhereabouts(folders, '')
  const told = `aws s3 sync ${folders.blobs} s3://bucket/blobs`
  await expect(requireWhereabouts(folders, 's3://bucket')).rejects.toThrow(told)
})
