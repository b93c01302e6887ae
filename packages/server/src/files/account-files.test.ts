import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openAccountFiles, type AccountFiles } from './account-files.ts'

let folder = ''
let files: AccountFiles
let root = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-files-'))
  files = await openAccountFiles({ folder: join(folder, 'data'), keepFree: 0 })
  root = await files.folderOf('ann')
  await writeFile(join(folder, 'secret'), 'secret')
  await mkdir(join(folder, 'outside'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const put = async (path: string, content = path) => {
  await using draft = await files.staging.receive(Readable.from([Buffer.from(content)]), 1_000)
  await files.place('ann', [{ path: path.split('/'), draft: draft.path }])
}
const read = async (path: string) => text((await files.open('ann', path.split('/'))).content)
const names = async (...path: string[]) => (await files.list('ann', path)).map(({ name }) => name)

describe('a file', () => {
  test('is put in place whole, with the folders above it, over the one that was there', async () => {
    await put('a/b/c', 'first')
    await put('a/b/c', 'second')
    expect(await read('a/b/c')).toBe('second')
    expect(await names('a', 'b')).toEqual(['c'])
    expect(await readdir(join(folder, 'data', '.incoming'))).toEqual([])
  })

  test('may be empty', async () => {
    await put('empty', '')
    expect(await read('empty')).toBe('')
  })

  test('does not take the place of a folder, nor a folder that of a file', async () => {
    await put('a/b')
    await expect(put('a')).rejects.toMatchObject({ code: 'file_in_the_way' })
    await expect(put('a/b/c')).rejects.toMatchObject({ code: 'file_not_found' })
    expect(await read('a/b')).toBe('a/b')
  })

  test('beyond its limit, or broken off, leaves nothing', async () => {
    const large = Readable.from(Array.from({ length: 10 }, () => Buffer.alloc(200)))
    await expect(files.staging.receive(large, 1_000)).rejects.toMatchObject({ code: 'body_too_large' })
    async function* broken() {
      yield Buffer.from('half')
      throw new Error('the caller hung up')
    }
    await expect(files.staging.receive(broken(), 1_000)).rejects.toThrow('hung up')
    expect(await readdir(join(folder, 'data', '.incoming'))).toEqual([])
  })

  test('is not taken in where the disk is to stay free', async () => {
    const full = await openAccountFiles({ folder: join(folder, 'full'), keepFree: Number.MAX_SAFE_INTEGER })
    await expect(full.staging.receive(Readable.from([]), 1)).rejects.toMatchObject({ code: 'disk_full' })
  })

  test('of one account is nothing to another', async () => {
    await put('mine')
    expect(await files.list('bob', [])).toEqual([])
    await expect(files.open('bob', ['mine'])).rejects.toMatchObject({ code: 'file_not_found' })
  })
})

describe('a link that a runner put there', () => {
  test.each([
    ['out', () => folder],
    ['etc', () => '/etc'],
    ['up', () => '../..'],
    ['chain', () => 'etc2'],
  ])('%s leads nowhere else: not to read, to write, to move or to delete', async (name, target) => {
    await symlink('/etc', join(root, 'etc2'))
    await symlink(target(), join(root, name))
    const refused = { code: 'bad_request', message: expect.stringContaining('leads out of /data') as string }
    for (const file of ['secret', 'passwd']) {
      await expect(read(`${name}/${file}`)).rejects.toMatchObject(refused)
      await expect(put(`${name}/${file}`)).rejects.toMatchObject(refused)
      await expect(files.remove('ann', [name, file])).rejects.toMatchObject(refused)
      await expect(files.move('ann', [name, file], ['x'])).rejects.toMatchObject(refused)
    }
    await expect(names(name)).rejects.toMatchObject(refused)
    expect(await names()).toContain(name)
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('secret')
  })

  test('to a file elsewhere is replaced by a file, and removed as a link', async () => {
    await symlink(join(folder, 'secret'), join(root, 'leak'))
    await expect(read('leak')).rejects.toMatchObject({ code: 'bad_request' })
    await put('leak', 'mine')
    expect(await read('leak')).toBe('mine')
    await symlink(join(folder, 'outside'), join(root, 'away'))
    await files.remove('ann', ['away'])
    expect(await readdir(folder)).toContain('outside')
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('secret')
  })

  test('inside /data is followed, as caches of models have them', async () => {
    await put('blobs/abc', 'weights')
    await mkdir(join(root, 'snapshots', 'one'), { recursive: true })
    await symlink('../../blobs/abc', join(root, 'snapshots', 'one', 'model'))
    await symlink('/data/snapshots', join(root, 'latest'))
    expect(await read('latest/one/model')).toBe('weights')
    expect(await files.list('ann', ['snapshots', 'one'])).toMatchObject([{ name: 'model', isFile: true, size: 7 }])
    expect(await files.list('ann', ['latest'])).toMatchObject([{ name: 'one', isFile: false }])
  })

  test('in a circle ends', async () => {
    await symlink('round', join(root, 'round'))
    await symlink('.', join(root, 'here'))
    await expect(read('round/x')).rejects.toMatchObject({
      message: expect.stringContaining('too many links') as string,
    })
    await expect(read(`${'here/'.repeat(50)}x`)).rejects.toMatchObject({ code: 'bad_request' })
    expect(await names()).toEqual(['here', 'round'])
  })
})

test('what is no ordinary file is not waited for', async () => {
  execFileSync('python3', ['-c', 'import os, sys; os.mkfifo(sys.argv[1])', join(root, 'pipe')])
  await expect(read('pipe')).rejects.toMatchObject({ message: expect.stringContaining('no ordinary file') as string })
  await expect(read('.')).rejects.toMatchObject({ code: 'bad_request' })
})

test('move renames, and refuses what rename(2) refuses', async () => {
  await put('a/one')
  await put('b/two')
  await files.move('ann', ['a', 'one'], ['c', 'three'])
  expect(await read('c/three')).toBe('a/one')
  await expect(files.move('ann', ['c'], ['b'])).rejects.toMatchObject({ code: 'file_in_the_way' })
  await expect(files.move('ann', ['c'], ['c', 'in'])).rejects.toMatchObject({ code: 'file_in_the_way' })
  await expect(files.move('ann', ['nothing'], ['d'])).rejects.toMatchObject({ code: 'file_not_found' })
  await expect(files.move('ann', [], ['d'])).rejects.toMatchObject({ code: 'bad_request' })
})

test('delete takes a folder with all in it, also a very deep one, and what its owner closed', async () => {
  const deep = `mkdir -p closed/in && touch closed/in/x && chmod 555 closed/in closed && d=deep && for i in $(seq 300); do mkdir $d && cd $d; d=dddddddddddddddddddd; done && touch x`
  execFileSync('bash', ['-c', deep], { cwd: root })
  await files.remove('ann', ['deep'])
  await files.remove('ann', ['closed'])
  expect(await names()).toEqual([])
  expect(await readdir(join(folder, 'data', '.incoming'))).toEqual([])
  await expect(files.remove('ann', [])).rejects.toMatchObject({ code: 'bad_request' })
})
