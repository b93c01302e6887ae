import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream, mkdtempSync } from 'node:fs'
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { constants as zlib, createZstdCompress } from 'node:zlib'
import { pack, type Header } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDataFolder } from '../access/data-folder.ts'
import { ensureInstallation } from '../access/first-start.ts'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { openObjectFiles } from '../blobs/object-files.ts'
import { silent } from '../kit/logger.ts'
import { systemClock } from '../kit/clock.ts'
import { begunInstallation } from '../store/accounts.ts'
import { acceptRequest } from '../store/requests.ts'
import { addObject, putWhole } from '../store/objects.ts'
import { openSqliteStore } from '../store/sqlite/index.ts'
import { addTestApp } from '../testing/store.ts'
import { backUp } from './backup.ts'
import { HeldFiles } from './held-files.ts'
import { restore } from './restore.ts'

const never = new AbortController().signal
const clock = systemClock()

const all = mkdtempSync(join(tmpdir(), 'carrick-backup-'))
afterAll(() => rm(all, { recursive: true, force: true }))
const tempFolder = () => mkdtemp(join(all, 'one-'))

/** A data folder with something of each kind, as a server left it. */
async function installation() {
  const path = join(await tempFolder(), 'original')
  const folder = await openDataFolder(path)
  const store = await openSqliteStore({ file: folder.storeFile, log: silent })
  const { accountId, id } = await ensureInstallation({ store, clock, folder, owner: 'ann' })
  await addTestApp(store, { accountId })
  const blobs = await openLocalBlobs({ folder: folder.blobs, clock })
  const body = await blobs.put(Buffer.alloc(100_000, 'a question'))
  const stray = await blobs.put(Buffer.from('named by nothing'))
  const payload = {
    method: 'POST',
    path: '/',
    headers: [],
    body: { blob: body.key, length: body.length },
    callerId: 'c',
  }
  const retry = { forbidden: false, budgets: {} }
  await store.commit(acceptRequest({ id: 'one', appId: 'app-1', priority: 'normal', acceptedAt: 1, retry, payload }))
  const objects = await openObjectFiles({ folder: folder.objects })
  const upload = await objects.put(Buffer.from('an upload'), 100)
  const object = {
    id: 'object-1',
    accountId,
    name: 'a.txt',
    contentType: 'text/plain',
    acl: undefined,
    lifetimeMs: undefined,
    dropAt: 9,
    version: 0,
    whole: undefined,
  }
  await store.commit(addObject(object, 1))
  await store.commit(
    putWhole('object-1', { number: 1, file: upload.file, length: upload.length, etag: upload.etag }, undefined),
  )
  const data = join(folder.data, accountId)
  await mkdir(join(data, 'models', 'empty'), { recursive: true })
  await writeFile(join(data, 'models', 'weights'), randomBytes(2_500_000))
  await writeFile(join(data, 'run.sh'), '#!/bin/sh\n')
  await chmod(join(data, 'run.sh'), 0o755)
  await symlink('models/weights', join(data, 'latest'))
  await symlink('/etc', join(data, 'away'))
  await writeFile(join(path, 'carrick.toml'), 'port = 8701\n')
  await mkdir(join(path, 'environments', 'large'), { recursive: true })
  await writeFile(join(path, 'environments', 'large', 'file'), 'built anew')
  return {
    path,
    folder,
    store,
    blobs,
    id,
    accountId,
    data,
    body,
    stray,
    upload,
    async close() {
      await store.close()
      await folder.close()
    },
  }
}

async function backedUp(path: string, options: Partial<Parameters<typeof backUp>[0]> = {}) {
  const file = join(await tempFolder(), 'backup')
  const report = await backUp({
    folder: path,
    to: createWriteStream(file),
    logs: false,
    onProgress: () => {},
    signal: never,
    ...options,
  })
  return { file, report }
}

async function restored(from: string | Readable, options: Partial<Parameters<typeof restore>[0]> = {}) {
  const folder = join(await tempFolder(), 'restored')
  const source = typeof from === 'string' ? createReadStream(from) : from
  const result = await restore({
    from: source,
    folder,
    replacesOriginal: false,
    onProgress: () => {},
    signal: never,
    ...options,
  })
  return { folder, ...result }
}

const sha256 = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

test('what is backed up while it is open is restored as it was, under an id of its own', async () => {
  const was = await installation()
  const { file, report } = await backedUp(was.path)
  expect(report).toMatchObject({ missing: [], leftOut: [], head: { owner: 'ann', kept_at: '' } })
  expect(await readdir(join(was.path, 'backing-up'))).toEqual(['lock.sqlite'])
  const { folder, files } = await restored(file)
  expect(files).toBe(report.files)
  const names = await readdir(folder, { recursive: true })
  expect(names).toContain(join('blobs', was.body.key.slice(0, 2), was.body.key))
  expect(names.filter((name) => name.includes(was.stray.key))).toEqual([])
  expect(names.filter((name) => /^(?:environments|runners|cache|restore)/.test(name))).toEqual([])
  const data = join(folder, 'data', was.accountId)
  for (const name of ['models/weights', 'run.sh'])
    expect(await sha256(join(data, name))).toBe(await sha256(join(was.data, name)))
  expect((await stat(join(data, 'run.sh'))).mode & 0o777).toBe(0o755)
  expect((await stat(join(data, 'models/empty'))).isDirectory()).toBe(true)
  expect([await readlink(join(data, 'latest')), await readlink(join(data, 'away'))]).toEqual(['models/weights', '/etc'])
  for (const name of [
    'encryption.key',
    'credentials.json',
    'carrick.toml',
    `objects/${was.upload.file.slice(0, 2)}/${was.upload.file}`,
  ])
    expect(await sha256(join(folder, name)), name).toBe(await sha256(join(was.path, name)))
  const credentials = await readFile(join(was.path, 'credentials.json'), 'utf8')
  await was.close()

  const again = await openDataFolder(folder)
  await using store = Object.assign(await openSqliteStore({ file: again.storeFile, log: silent }), {
    [Symbol.asyncDispose]: () => again.close(),
  })
  const begun = await store.read(begunInstallation())
  expect(begun?.id).not.toBe(was.id)
  await ensureInstallation({ store, clock, folder: again, owner: 'ann' }) // its key opens what is encrypted, its ADMIN key is known
  expect(await readFile(again.credentialsFile, 'utf8')).toBe(credentials)
  await store.close()
})

test('a server that goes on in place of the original keeps its id', async () => {
  const was = await installation()
  await was.close()
  const { folder } = await restored((await backedUp(was.path)).file, { replacesOriginal: true })
  const store = await openSqliteStore({ file: join(folder, 'carrick.sqlite'), log: silent })
  expect((await store.read(begunInstallation()))?.id).toBe(was.id)
  await store.close()
})

test('with a passphrase nothing of it can be read without that', async () => {
  const was = await installation()
  await was.close()
  const { file } = await backedUp(was.path, { passphrase: 'open sesame' })
  expect((await readFile(file)).subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  await expect(restored(file)).rejects.toThrow('CARRICK_BACKUP_PASSPHRASE')
  await expect(restored(file, { passphrase: 'another' })).rejects.toThrow('not its passphrase')
  const { folder } = await restored(file, { passphrase: 'open sesame' })
  expect(await sha256(join(folder, 'encryption.key'))).toBe(await sha256(join(was.path, 'encryption.key')))
})

test('what the server deletes while it is held is in the backup', async () => {
  const was = await installation()
  const held = await HeldFiles.open(was.path)
  const name = `blobs/${was.body.key.slice(0, 2)}/${was.body.key}`
  expect(await held.hold(name)).toBe(100_000)
  await was.blobs.remove(was.body.key)
  expect(await readFile(held.pathOf(name))).toHaveLength(100_000)
  await expect(HeldFiles.open(was.path)).rejects.toThrow('another backup')
  await held[Symbol.asyncDispose]()
  await was.close()
})

test('a file that the store names and the disk has lost is told of, and the rest is kept', async () => {
  const was = await installation()
  await was.blobs.remove(was.body.key)
  const { report } = await backedUp(was.path)
  expect(report.missing).toEqual([`blobs/${was.body.key.slice(0, 2)}/${was.body.key}`])
  await was.close()
})

test('what a bucket keeps is not in it, and that is said', async () => {
  const was = await installation()
  await was.close()
  await writeFile(join(was.path, 'blobs', 'kept-elsewhere'), 's3://bucket/prefix')
  const { file, report } = await backedUp(was.path)
  expect([report.head.kept_at, report.missing]).toEqual(['s3://bucket/prefix', []])
  const { folder } = await restored(file)
  expect(await readdir(join(folder, 'blobs'))).toEqual(['kept-elsewhere'])
  expect(await readdir(folder)).not.toContain('objects')
})

test('an encryption key that is not the one of the store is no backup', async () => {
  const was = await installation()
  await was.close()
  await writeFile(join(was.path, 'encryption.key'), randomBytes(32))
  await expect(backedUp(was.path)).rejects.toThrow('is not the key of this installation')
})

test('a folder that is no data folder is not backed up, and one with something in it is not restored into', async () => {
  const folder = await tempFolder()
  await expect(backedUp(folder)).rejects.toThrow('is not the data folder of a Carrick server')
  await writeFile(join(folder, 'mine'), 'mine')
  await expect(restored(Readable.from([]), { folder })).rejects.toThrow('is not empty')
  expect(await readdir(folder)).toEqual(['mine'])
})

test('a disk that is full while the backup is written is an error, and nothing is held afterwards', async () => {
  const was = await installation()
  await was.close()
  const full = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })),
  })
  await expect(backedUp(was.path, { to: full })).rejects.toThrow('ENOSPC')
  expect(await readdir(join(was.path, 'backing-up'))).toEqual(['lock.sqlite'])
})

describe('a restore', () => {
  let file = ''
  beforeAll(async () => {
    const was = await installation()
    await was.close()
    file = join(await tempFolder(), 'backup')
    await backUp({ folder: was.path, to: createWriteStream(file), logs: true, onProgress: () => {}, signal: never })
  })

  /** Nothing is left, and a sentence is said. */
  const refused = async (from: string | Readable, why: RegExp) => {
    const folder = join(await tempFolder(), 'new')
    await expect(restored(from, { folder })).rejects.toThrow(why)
    await expect(access(folder)).rejects.toThrow()
  }

  test('of a file that is cut off, damaged or something else leaves nothing', async () => {
    const cut = join(await tempFolder(), 'cut')
    const whole = await readFile(file)
    await writeFile(cut, whole)
    for (const length of [0, 10, 50_000, whole.length - 3_000]) {
      await writeFile(cut, whole.subarray(0, length))
      await refused(cut, /is refused: it/)
    }
    const damaged = Buffer.from(whole)
    damaged[whole.length >> 1]! ^= 1
    await refused(Readable.from([damaged], { objectMode: false }), /is refused: it/)
    await refused(Readable.from([randomBytes(5_000)], { objectMode: false }), /is refused: it/)
    await truncate(cut, 0)
    await refused(cut, /is refused: it/)
  })

  test('that is interrupted leaves nothing, and one that was killed leaves a folder on which no server starts', async () => {
    const folder = join(await tempFolder(), 'new')
    const stop = new AbortController()
    const work = restored(file, {
      folder,
      signal: stop.signal,
      onProgress: () => stop.abort(Object.assign(new Error('interrupted'), { name: 'Interruption' })),
    })
    await expect(work).rejects.toThrow('interrupted')
    await expect(access(folder)).rejects.toThrow()
    await mkdir(folder)
    await writeFile(join(folder, 'restore.unfinished'), '')
    await expect(openDataFolder(folder)).rejects.toThrow('did not come to its end')
    await expect(restored(file, { folder })).rejects.toThrow('did not come to its end')
  })

  const head = {
    format: 1,
    carrick: '0',
    created_at: 'now',
    installation: 'i',
    owner: 'o',
    schema: 1,
    kept_at: '',
    logs: false,
    files: 1,
    bytes: 10,
  }
  type Sent = Partial<Header> & { readonly name: string; readonly bytes?: Uint8Array }
  function archive(entries: readonly Sent[], first: object = head): Readable {
    const tar = pack()
    tar.entry({ name: 'carrick-backup.json' }, JSON.stringify(first))
    for (const { bytes, ...header } of entries)
      // One with a size is begun and never ends.
      if (header.size === undefined && (header.type ?? 'file') === 'file') tar.entry(header, Buffer.from(bytes ?? 'x'))
      else tar.entry(header)
    tar.finalize()
    const zstd = createZstdCompress({ flush: zlib.ZSTD_e_flush })
    Readable.from(tar as AsyncIterable<Uint8Array>, { objectMode: false }).pipe(zstd)
    return zstd
  }

  test.each<[string, readonly Sent[], RegExp]>([
    ['a name that climbs', [{ name: 'data/a/../../../etc/passwd' }], /no backup holds a file/],
    ['an absolute name', [{ name: '/etc/passwd' }], /no backup holds a file/],
    ['a name of no file of ours', [{ name: 'server.json' }], /no backup holds a file/],
    ['a blob that is called otherwise', [{ name: `blobs/aa/${'b'.repeat(64)}` }], /no backup holds a file/],
    [
      'a link in place of a key',
      [{ name: 'encryption.key', type: 'symlink', linkname: '/etc/passwd' }],
      /where no such belongs/,
    ],
    ['a hard link', [{ name: 'data/a/hard', type: 'link', linkname: '/etc/passwd' }], /where no such belongs/],
    [
      'a device',
      [{ name: 'data/a/null', type: 'character-device', devmajor: 1, devminor: 3 }],
      /where no such belongs/,
    ],
    ['a file twice', [{ name: 'data/a/one' }, { name: 'data/a/one' }], /comes twice/],
    [
      'a file through a link',
      [{ name: 'data/a/link', type: 'symlink', linkname: '/tmp' }, { name: 'data/a/link/file' }],
      /its end is missing/,
    ],
    ['no end', [{ name: 'data/a/one' }], /its end is missing/],
    [
      'other sums',
      [{ name: 'data/a/one' }, { name: 'SHA256SUMS', bytes: Buffer.from(`${'0'.repeat(64)}  data/a/one\n`) }],
      /data\/a\/one is damaged/,
    ],
    ['far more bytes than it says', [{ name: 'data/a/one', size: 2 ** 31 }], /far more bytes/],
  ])('of an archive with %s is refused', async (_, entries, why) => {
    await refused(archive(entries), why)
  })

  test('of links that lead through one another is refused', async () => {
    const line = createHash('sha256').digest('hex')
    const end = { name: 'end.json', bytes: Buffer.from(JSON.stringify({ files: 0, bytes: 0, sums: line })) }
    const links = [
      { name: 'data/a/link', linkname: tmpdir() },
      { name: 'data/a/link/carrick-away', linkname: 'x' },
    ]
    await refused(
      archive([...links.map((link) => ({ ...link, type: 'symlink' as const })), end]),
      /a link in it is a folder/,
    )
    await expect(readlink(join(tmpdir(), 'carrick-away'))).rejects.toThrow()
  })

  test('of what a newer version made, or what has no room, is refused before anything is written', async () => {
    await refused(archive([], { ...head, schema: 9_999 }), /newer version/)
    await refused(archive([], { ...head, format: 2 }), /newer version/)
    await refused(archive([], { ...head, bytes: 2 ** 52 }), /has room for/)
  })
})
