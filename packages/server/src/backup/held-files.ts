import { link, mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tryFileLock } from '../kit/file-lock.ts'

/**
 * A folder in the data folder where a backup keeps what it will read: a second name of each file, so that a server which
 * deletes the first takes nothing away. One backup at a time has it; what a former one left there goes.
 */
export class HeldFiles implements AsyncDisposable {
  readonly path: string
  readonly #from: string
  readonly #lock: Disposable
  readonly #held = new Set<string>()
  readonly #folders = new Set<string>()

  /** Throws a sentence when another backup is under way. */
  static async open(from: string): Promise<HeldFiles> {
    const path = join(from, 'backing-up')
    await mkdir(path, { recursive: true, mode: 0o700 })
    const lock = tryFileLock(join(path, 'lock.sqlite'))
    if (lock === undefined) throw new Error(`another backup of ${from} is under way: wait until it is done`)
    await rm(join(path, 'files'), { recursive: true, force: true })
    await mkdir(join(path, 'files'), { mode: 0o700 })
    return new HeldFiles(from, join(path, 'files'), lock)
  }

  private constructor(from: string, path: string, lock: Disposable) {
    this.#from = from
    this.path = path
    this.#lock = lock
  }

  /** The names of all that is held. */
  get names(): Iterable<string> {
    return this.#held
  }

  pathOf(name: string): string {
    return join(this.path, name)
  }

  /** Counts a file that was put there. */
  keep(name: string): void {
    this.#held.add(name)
  }

  /** Holds a file of the data folder, from now on. Answers its bytes, or undefined when it is not there. */
  async hold(name: string): Promise<number | undefined> {
    const to = this.pathOf(name)
    if (!this.#held.has(name)) {
      await this.#folder(dirname(to))
      if (!(await linked(join(this.#from, name), to))) return undefined
      this.#held.add(name)
    }
    return (await stat(to)).size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    this.#lock[Symbol.dispose]()
  }

  async #folder(path: string): Promise<void> {
    if (this.#folders.has(path)) return
    await mkdir(path, { recursive: true })
    this.#folders.add(path)
  }
}

/** `false` when there is nothing to be linked. */
async function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      if (error.code !== 'EXDEV') throw error
      throw new Error(
        `${dirname(dirname(from))} is on another disk than the data folder: it cannot be held for a backup`,
        {
          cause: error,
        },
      )
    },
  )
}
