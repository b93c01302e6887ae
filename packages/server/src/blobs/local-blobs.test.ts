import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
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

test('what was just put is not old, whatever the clock of the machine was set to', async () => {
  const aheadMs = 86_400_000
  const now = () => Date.now() + aheadMs
  const ahead = await openLocalBlobs({ folder, clock: { now } })
  const { key } = await ahead.put(Buffer.from('its row is on the way'))
  expect(await ahead.discard(key, now() - 3_600_000)).toBe(false)
  expect(await ahead.discard(key, now() + 3_600_000)).toBe(true)
})

test('a disk that fails is not gone on with', async () => {
  const told: unknown[] = []
  const failing = await openLocalBlobs({ folder, onFatal: ({ message }) => void told.push(message) })
  const error = Object.assign(new Error('i/o error'), { code: 'EIO' })
  const body = Readable.from(
    (function* () {
      yield Buffer.from('half')
      throw error
    })(),
  )
  await expect(failing.put(body)).rejects.toBe(error)
  await expect(failing.put(Buffer.alloc(10), 5)).rejects.toMatchObject({ code: 'body_too_large' })
  expect(told).toEqual(['i/o error'])
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
