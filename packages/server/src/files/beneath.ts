import { constants } from 'node:fs'
import { mkdir, open, readlink, type FileHandle } from 'node:fs/promises'
import { CarrickError } from '../domain/errors.ts'
import { dataPath, shownPath, type FilePath } from '../domain/file-path.ts'
import { giveToOwnerOf } from './owner.ts'

/**
 * Ways through a folder that somebody else changes meanwhile. A runner may put a link anywhere, also between a look and
 * the step after it, so each step is taken from the open folder before it (by way of /proc/self/fd, as openat would) and
 * follows no link by itself. A link is read and walked in the same way; one that leads out is refused.
 */
export interface Leaf extends AsyncDisposable {
  /** The folder that the name is in; open until disposed. */
  readonly folder: FileHandle
  readonly name: string
  /** For calls on the name itself. Good while the folder is open; only calls that follow no link may use it. */
  readonly path: string
}

const mostLinks = 40
const toFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** An open folder. Whoever asks closes it. Throws `file_not_found` when there is none, unless `make` makes it. */
export async function openFolder(root: string, path: FilePath, how: { make?: boolean } = {}): Promise<FileHandle> {
  await using way = await Way.from(root, path)
  while (!way.isDone()) await way.step(how.make ?? false)
  return way.keep()
}

/** The last name of a path, which may or may not be there, in its folder. `follow` goes on to where a link leads. */
export async function findLeaf(
  root: string,
  path: FilePath,
  { make = false, follow = false }: { make?: boolean; follow?: boolean } = {},
): Promise<Leaf> {
  await using way = await Way.from(root, path)
  for (;;) {
    if (!way.isAtLast()) await way.step(make)
    else if (!follow || !(await way.followLast())) return way.leaf()
  }
}

/** What one may call a name in an open folder. */
export function inFolder(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`
}

class Way implements AsyncDisposable {
  readonly #root: string
  readonly #asked: FilePath
  readonly #open: FileHandle[]
  readonly #todo: string[]
  #links = 0

  static async from(root: string, path: FilePath): Promise<Way> {
    return new Way(root, path, await open(root, toFolder))
  }

  private constructor(root: string, path: FilePath, first: FileHandle) {
    this.#root = root
    this.#asked = path
    this.#open = [first]
    this.#todo = path.toReversed()
  }

  isDone(): boolean {
    return this.#todo.length === 0
  }

  isAtLast(): boolean {
    if (this.isDone()) throw new CarrickError('bad_request', `${shownPath(this.#asked)} is a folder`)
    return this.#todo.length === 1 && this.#todo[0] !== '..'
  }

  /** Takes the next name, which must be a folder or a link to one. */
  async step(make: boolean): Promise<void> {
    const name = this.#todo.pop() ?? ''
    if (name === '..') return this.#back()
    const path = inFolder(this.#here, name)
    try {
      this.#open.push(await open(path, toFolder))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' && make) {
        await mkdir(path, 0o755).then(() => giveToOwnerOf(this.#here, path), ignoreExisting)
        this.#todo.push(name)
        return this.step(false)
      }
      if (code !== 'ENOTDIR' && code !== 'ELOOP') throw this.#translated(error)
      if (!(await this.#follow(path))) throw this.#notThere()
    }
  }

  /** Puts what the last name leads to in its place; false when it is no link. */
  async followLast(): Promise<boolean> {
    const name = this.#todo.at(-1) ?? ''
    const followed = await this.#follow(inFolder(this.#here, name))
    if (followed) this.#todo.shift() // its target's names come before it by now
    return followed
  }

  leaf(): Leaf {
    const name = this.#todo.at(-1) ?? ''
    const folder = this.keep()
    return { folder, name, path: inFolder(folder, name), [Symbol.asyncDispose]: () => folder.close() }
  }

  /** Takes the folder that was reached away from what is closed here. */
  keep(): FileHandle {
    const reached = this.#here
    this.#open.pop()
    return reached
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((folder) => folder.close()))
  }

  get #here(): FileHandle {
    const here = this.#open.at(-1)
    if (here === undefined) throw new Error('the way has been left')
    return here
  }

  async #back(): Promise<void> {
    if (this.#open.length === 1) throw this.#leadsOut()
    await this.#open.pop()?.close()
  }

  async #follow(path: string): Promise<boolean> {
    const target = await readlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EINVAL' || error.code === 'ENOENT') return undefined
      throw this.#translated(error)
    })
    if (target === undefined) return false
    this.#links += 1
    if (this.#links > mostLinks) throw new CarrickError('bad_request', `${shownPath(this.#asked)}: too many links`)
    this.#todo.push(...(await this.#namesIn(target)).toReversed())
    return true
  }

  /** An absolute link is one that a runner made, where the folder has another name. */
  async #namesIn(target: string): Promise<string[]> {
    if (!target.startsWith('/')) return namesOf(target)
    const base = [dataPath, this.#root].find((each) => target === each || target.startsWith(`${each}/`))
    if (base === undefined) throw this.#leadsOut()
    while (this.#open.length > 1) await this.#back()
    return namesOf(target.slice(base.length))
  }

  #leadsOut(): CarrickError {
    return new CarrickError('bad_request', `${shownPath(this.#asked)} is refused: a link on the way leads out of /data`)
  }

  #notThere(): CarrickError {
    return new CarrickError('file_not_found', `${shownPath(this.#asked)} not found: a name on the way is no folder`)
  }

  #translated(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') return error
    return new CarrickError('file_not_found', `${shownPath(this.#asked)} not found`, { cause: error })
  }
}

const namesOf = (path: string) => path.split('/').filter((name) => name !== '' && name !== '.')

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
