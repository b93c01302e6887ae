import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { unzip } from './unzip.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-unzip-'))
  execFileSync('mkdir', [join(folder, 'into')])
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Python's own library writes what it is told, hostile names too. `z` is the archive. */
function zipped(program: string): string {
  const file = join(folder, 'x.zip')
  const begin = 'import sys, zipfile, stat\nz = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)\n'
  execFileSync('python3', ['-W', 'ignore', '-c', `${begin}${program}\nz.close()`, file])
  return file
}

const unpack = (file: string) => unzip(file, join(folder, 'into'), { entries: 100, bytes: 1_000_000 })

test('files come out as they went in, and folders with them', async () => {
  const files = await unpack(zipped('z.writestr("a/", ""); z.writestr("a/b.txt", "b" * 100000); z.writestr("c", "")'))
  expect(files.map(({ path }) => path.join('/'))).toEqual(['a/b.txt', 'c'])
  expect(await readFile(files[0]?.draft ?? '', 'utf8')).toBe('b'.repeat(100_000))
})

test.each([
  ['leads up', 'z.writestr("../evil", "x")', 'evil'],
  ['leads up in the middle', 'z.writestr("a/../../evil", "x")', 'evil'],
  ['is absolute', 'z.writestr("/etc/evil", "x")', 'absolute'],
  ['has a drive', 'z.writestr("C:/evil", "x")', 'absolute'],
  ['leads up by backslashes', 'z.writestr("..\\\\evil", "x")', 'evil'],
  ['has a very long name', 'z.writestr("x" * 300, "x")', 'longer than 255'],
  ['comes twice', 'z.writestr("a", "x"); z.writestr("a", "y")', 'comes twice'],
  ['comes twice but for case', 'z.writestr("A", "x"); z.writestr("a", "y")', 'comes twice'],
  ['is a file and a folder', 'z.writestr("a", "x"); z.writestr("a/b", "y")', 'a file and a folder'],
  [
    'is a link',
    'i = zipfile.ZipInfo("l"); i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16; z.writestr(i, "/etc")',
    'a link',
  ],
  ['is a bomb', 'z.writestr("ok", "x"); z.writestr("bomb", "0" * 2000000)', 'more than 1000000 bytes'],
  ['is many', '[z.writestr(str(n), "") for n in range(101)]', '101 entries'],
])('an archive in which one %s is refused, and nothing of it is unpacked', async (_what, program, why) => {
  await expect(unpack(zipped(program))).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining(why) as string,
  })
  expect(await readdir(join(folder, 'into'))).toEqual([])
})

test('one that says less of itself than it holds is found out', async () => {
  const file = zipped('z.writestr("bomb", "0" * 900000)')
  const lying = await readFile(file)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(900_000)
  const claim = Buffer.alloc(4)
  claim.writeUInt32LE(10)
  for (let at = lying.indexOf(length); at !== -1; at = lying.indexOf(length, at)) claim.copy(lying, at)
  await writeFile(file, lying)
  await expect(unpack(file)).rejects.toMatchObject({ code: 'bad_request' })
})

test.each([
  ['text', 'hello'],
  ['nothing', ''],
])('%s is no archive', async (_what, content) => {
  const file = join(folder, 'not.zip')
  await writeFile(file, content)
  await expect(unpack(file)).rejects.toMatchObject({ code: 'bad_request' })
})
