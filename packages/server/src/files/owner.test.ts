import { chown, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { openAccountFiles } from './account-files.ts'

const isRoot = process.getuid?.() === 0

test.skipIf(!isRoot)(
  `what the server puts into a folder of a runner's user is that user's, with the folders above it (${isRoot ? 'here' : 'the server is not root'})`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'carrick-owner-'))
    const files = await openAccountFiles({ folder, keepFree: 0 })
    const root = await files.folderOf('account')
    const place = async (path: string[]) => {
      await using draft = await files.staging.receive(Readable.from([Buffer.from('sent')]), 100)
      await files.place('account', [{ path, draft: draft.path }])
      return stat(join(root, ...path))
    }
    expect(await place(['ours'])).toMatchObject({ uid: 0, gid: 0 })
    await chown(root, 5_000, 5_001)
    expect(await place(['a', 'b', 'theirs'])).toMatchObject({ uid: 5_000, gid: 5_001, mode: 0o100644 })
    expect(await stat(join(root, 'a', 'b'))).toMatchObject({ uid: 5_000, gid: 5_001 })
    await rm(folder, { recursive: true })
  },
)
