import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskUsage } from './disk-usage.ts'

const never = new AbortController().signal

test('folders take what is in them, and what is not there is not told of', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-usage-'))
  const [one, two] = [join(folder.path, 'one\nline'), join(folder.path, '-two')]
  await mkdir(join(one, 'below'), { recursive: true })
  await mkdir(two)
  await writeFile(join(one, 'below', 'file'), Buffer.alloc(1_000_000))
  const found = await diskUsage([one, two, join(folder.path, 'gone')], never)
  expect([...found.keys()]).toEqual([one, two])
  expect(found.get(one)).toBeGreaterThanOrEqual(1_000_000)
  expect(found.get(two)).toBeLessThan(100_000)
  expect((await diskUsage([], never)).size).toBe(0)
})
