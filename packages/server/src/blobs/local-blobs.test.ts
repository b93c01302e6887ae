import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLocalBlobs } from './local-blobs.ts'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-blobs-'))
  await openLocalBlobs({ folder })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const drafts = () => readdir(join(folder, 'incoming'))

test('what a dead process left half written is gone after the folder is opened', async () => {
  await writeFile(join(folder, 'incoming', 'left-behind'), 'half')
  await openLocalBlobs({ folder })
  expect(await drafts()).toEqual([])
})

const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0

describe.skipIf(!mayMount)('a full disk (needs root to mount a small one)', () => {
  const small = () => join(folder, 'small')

  beforeEach(async () => {
    await mkdir(small())
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small()])
  })
  afterEach(() => execFileSync('umount', [small()]))

  test('is said, and room is given back', async () => {
    const tight = await openLocalBlobs({ folder: small() })
    await expect(tight.put(Buffer.alloc(4_000_000))).rejects.toMatchObject({ code: 'disk_full' })
    expect(await tight.put(Buffer.alloc(1_000))).toMatchObject({ length: 1_000 })
  })
})
