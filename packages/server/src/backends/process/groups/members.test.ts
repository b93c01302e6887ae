import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { membersOf } from './members.ts'

test('members are those that can be sent a signal: not one that the kernel tells as 0, and none where there is no group', async () => {
  await using group = await mkdtempDisposable(join(tmpdir(), 'carrick-members-'))
  await writeFile(join(group.path, 'cgroup.procs'), '12\n0\n345\n')
  expect(await membersOf(group.path)).toEqual([12, 345])
  expect(await membersOf(join(group.path, 'none'))).toEqual([])
})
