import { constants } from 'node:fs'
import { lstat, mkdir, open, opendir, realpath, rename, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { CarrickError } from '../domain/errors.ts'
import { shownPath, type FilePath } from '../domain/file-path.ts'
import type { AccountId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { findLeaf, inFolder, openFolder } from './beneath.ts'
import { giveToOwnerOf } from './owner.ts'
import { openStaging, type Staging } from './staging.ts'

/** Something in a folder. */
export interface Entry {
  readonly name: string
  readonly isFile: boolean
  /** Bytes; 0 for a folder. */
  readonly size: number
  readonly createdAt: Moment
  readonly updatedAt: Moment
}

/** The folder of each account that all its runners see as `/data`. Paths are checked ones; no link leads out of it. */
export interface AccountFiles {
  readonly staging: Staging
  /** Where a folder of an account is, made when it was not there. */
  folderOf(account: AccountId, path?: FilePath): Promise<string>
  /** What is in a folder, by name; nothing where there is none. */
  list(account: AccountId, path: FilePath): Promise<readonly Entry[]>
  /** Throws `file_not_found`. Whoever opens it reads it to the end or destroys it. */
  open(account: AccountId, path: FilePath): Promise<{ readonly content: Readable; readonly size: number }>
  /** The first bytes of a small file; undefined when there is none. */
  peek(account: AccountId, path: FilePath, bytes: number): Promise<string | undefined>
  /** Puts drafts in place, each at once and in this order, with the folders above them. Throws `file_in_the_way` for a folder that is there. */
  place(account: AccountId, drafts: readonly { readonly path: FilePath; readonly draft: string }[]): Promise<void>
  /** Renames, as rename(2) does: over a file, not over a folder with something in it. */
  move(account: AccountId, from: FilePath, to: FilePath): Promise<void>
  /** Deletes a file, or a folder with all that is in it. */
  remove(account: AccountId, path: FilePath): Promise<void>
}

export async function openAccountFiles(options: { folder: string; keepFree: number }): Promise<AccountFiles> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  const folder = await realpath(options.folder)
  const staging = await openStaging({ folder: join(folder, '.incoming'), keepFree: options.keepFree })

  async function rootOf(account: AccountId): Promise<string> {
    if (!/^[\w-]+$/.test(account)) throw new Error(`"${account}" cannot be the name of a folder`)
    const root = join(folder, account)
    // An operator may have put it on another disk. It is nearly always there, and every start of a runner asks.
    return await realpath(root).catch(async () => {
      await mkdir(root, { mode: 0o755 }).catch(ignoreExisting)
      return await realpath(root)
    })
  }

  return {
    staging,
    async folderOf(account, path = []) {
      const root = await rootOf(account)
      if (path.length === 0) return root
      await using _made = await openFolder(root, path, { make: true })
      return join(root, ...path)
    },
    async list(account, path) {
      const root = await rootOf(account)
      return (await entriesIn(root, path)).toSorted((one, other) => (one.name < other.name ? -1 : 1))
    },
    async open(account, path) {
      const { file, size } = await openFile(await rootOf(account), path)
      if (size > 0) return { size, content: file.createReadStream({ end: size - 1 }) } // it may grow meanwhile
      await file.close()
      return { size, content: Readable.from([]) }
    },
    async peek(account, path, bytes) {
      try {
        const { file } = await openFile(await rootOf(account), path)
        await using _open = file
        const { bytesRead, buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0)
        return buffer.toString('utf8', 0, bytesRead)
      } catch (error) {
        if (error instanceof CarrickError && error.code === 'file_not_found') return undefined
        throw error
      }
    },
    async place(account, drafts) {
      const root = await rootOf(account)
      for (const { path, draft } of drafts) await placed(root, path, draft)
    },
    async move(account, from, to) {
      const root = await rootOf(account)
      requireName(from, 'moved')
      await using source = await findLeaf(root, from)
      await requireThere(source.path, from)
      await using target = await findLeaf(root, to.length === 0 ? [from.at(-1) ?? ''] : to, { make: true })
      await renamed(source.path, target.path, to)
      await target.folder.sync()
    },
    async remove(account, path) {
      requireName(path, 'deleted')
      await using leaf = await findLeaf(await rootOf(account), path)
      await requireThere(leaf.path, path)
      await staging.discard(leaf.folder, leaf.name)
    },
  }
}

/** Most entries of one folder that are listed. */
const mostEntries = 100_000
const atOnce = 32

async function entriesIn(root: string, path: FilePath): Promise<readonly Entry[]> {
  await using folder = await openFolder(root, path).catch((error: unknown) => {
    if (error instanceof CarrickError && error.code === 'file_not_found') return undefined // the stock client asks before it writes
    throw error
  })
  if (folder === undefined) return []
  const names: string[] = []
  for await (const { name } of await opendir(`/proc/self/fd/${folder.fd}`)) {
    names.push(name)
    if (names.length > mostEntries)
      throw new CarrickError(
        'body_too_large',
        `${shownPath(path)} holds more than the ${mostEntries} entries that are listed`,
      )
  }
  const entries: (Entry | undefined)[] = []
  for (let at = 0; at < names.length; at += atOnce) {
    const some = names.slice(at, at + atOnce)
    entries.push(...(await Promise.all(some.map((name) => entryOf(root, [...path, name], folder)))))
  }
  return entries.filter((entry) => entry !== undefined)
}

/** Of a link, what it leads to; one that leads out or nowhere is an empty file, which can be deleted. Gone meanwhile: nothing. */
async function entryOf(root: string, path: FilePath, folder: FileHandle): Promise<Entry | undefined> {
  const name = path.at(-1) ?? ''
  const own = await lstat(inFolder(folder, name)).catch(() => undefined)
  if (own === undefined) return undefined
  const seen = own.isSymbolicLink() ? await behindLink(root, path) : own
  const isFile = !(seen?.isDirectory() ?? false)
  const size = isFile ? (seen?.size ?? 0) : 0
  return { name, isFile, size, createdAt: own.birthtimeMs, updatedAt: (seen ?? own).mtimeMs }
}

async function behindLink(root: string, path: FilePath) {
  try {
    await using leaf = await findLeaf(root, path, { follow: true })
    return await lstat(leaf.path)
  } catch {
    const folder = await openFolder(root, path).catch(() => undefined)
    await using _open = folder
    return folder && (await stat(`/proc/self/fd/${folder.fd}`))
  }
}

async function openFile(root: string, path: FilePath) {
  await using leaf = await findLeaf(root, path, { follow: true })
  // A pipe would be waited for without end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(leaf.path, flags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw notFound(path)
    throw error
  })
  const seen = await file.stat()
  if (seen.isFile()) return { file, size: seen.size }
  await file.close()
  throw new CarrickError('bad_request', `${shownPath(path)} is ${seen.isDirectory() ? 'a folder' : 'no ordinary file'}`)
}

async function placed(root: string, path: FilePath, draft: string): Promise<void> {
  await using leaf = await findLeaf(root, path, { make: true })
  await giveToOwnerOf(leaf.folder, draft)
  await renamed(draft, leaf.path, path)
  await leaf.folder.sync()
}

const inTheWay: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder',
  ENOTDIR: 'is a file',
  ENOTEMPTY: 'is a folder with something in it',
  EEXIST: 'is a folder with something in it',
  EINVAL: 'lies in what is to be moved',
  EXDEV: 'lies on another disk than what is to be put there',
}

async function renamed(from: string, to: string, path: FilePath): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    const why = inTheWay[error.code ?? '']
    if (why === undefined) throw error
    throw new CarrickError('file_in_the_way', `${shownPath(path)} ${why}: nothing was changed there`, { cause: error })
  })
}

async function requireThere(path: string, asked: FilePath): Promise<void> {
  await lstat(path).catch(() => {
    throw notFound(asked)
  })
}

function requireName(path: FilePath, done: string): void {
  if (path.length === 0) throw new CarrickError('bad_request', `${shownPath(path)} itself cannot be ${done}`)
}

const notFound = (path: FilePath) => new CarrickError('file_not_found', `${shownPath(path)} not found`)

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
