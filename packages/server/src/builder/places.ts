import { randomBytes } from 'node:crypto'
import { access, mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnvironmentId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { replaceFile, syncFolder } from '../kit/files.ts'

/** Names the generation that counts. Written last: without it nothing of the environment counts. */
const marker = 'finished'

/** A finished environment that may go. */
export interface Unneeded {
  readonly id: EnvironmentId
  readonly folder: string
}

/**
 * Where environments are: `<id>/<generation>/`, and beside it the marker. Every build gets a generation of its own,
 * because runners may still use the one before.
 */
export class Places {
  readonly #folder: string
  readonly #finished = new Map<EnvironmentId, string>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Takes over a folder that nobody else uses, and removes what no marker names. */
  static async open(folder: string): Promise<Places> {
    await mkdir(folder, { recursive: true })
    const places = new Places(folder)
    const ids = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name))
    await Promise.all(ids.map((id) => places.#takeOver(id)))
    return places
  }

  /** A folder that was never used before. */
  async newPlace(id: EnvironmentId): Promise<string> {
    const generation = randomBytes(4).toString('hex')
    await mkdir(join(this.#folder, id, generation), { recursive: true })
    return generation
  }

  /** From now on this generation is the environment. Its files must be on disk. */
  async finish(id: EnvironmentId, generation: string): Promise<void> {
    await replaceFile(join(this.#folder, id, marker), generation)
    await syncFolder(this.#folder)
    this.#finished.set(id, generation)
  }

  async remove(id: EnvironmentId, generation: string): Promise<void> {
    await rm(this.folderOf(id, generation), { recursive: true, force: true })
  }

  folderOf(id: EnvironmentId, generation = this.#finished.get(id) ?? 'unfinished'): string {
    return join(this.#folder, id, generation)
  }

  /** Looks at the disk: somebody may have removed the environment, or the interpreter that it was made from. */
  async has(id: EnvironmentId): Promise<boolean> {
    if (!this.#finished.has(id)) return false
    const found = await Promise.all([join(this.#folder, id, marker), join(this.folderOf(id), 'bin/python')].map(exists))
    return found.every((there) => there)
  }

  /** Notes that it was asked for: what nobody asks for and nothing names goes some day. */
  async use(id: EnvironmentId, now: Moment): Promise<void> {
    await utimes(join(this.#folder, id, marker), now / 1_000, now / 1_000).catch(() => {}) // then it is younger
  }

  /** Which finished environments are not named here, and nobody has asked for since, with their folders. */
  async unneeded(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<readonly Unneeded[]> {
    const found = await Promise.all(
      [...this.#finished].map(async ([id, generation]) => {
        if (named.has(id)) return []
        const seen = await stat(join(this.#folder, id, marker)).catch(() => undefined)
        return seen === undefined || seen.mtimeMs >= before ? [] : [{ id, folder: this.folderOf(id, generation) }]
      }),
    )
    return found.flat()
  }

  /** Takes away the finished environments that are not named here and that nobody has asked for since. Answers how many. */
  async sweep(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<number> {
    let gone = 0
    for (const [id, generation] of this.#finished) {
      if (named.has(id)) continue
      const found = await stat(join(this.#folder, id, marker)).catch(() => undefined)
      if (found === undefined || found.mtimeMs >= before || this.#finished.get(id) !== generation) continue
      this.#finished.delete(id) // whoever asks from here on has it built anew, in a place of its own
      await rm(join(this.#folder, id, marker), { force: true })
      await this.remove(id, generation)
      gone += 1
    }
    return gone
  }

  async #takeOver(id: EnvironmentId): Promise<void> {
    const folder = join(this.#folder, id)
    const generation = await readFile(join(folder, marker), 'utf8').catch(() => undefined)
    const names = await readdir(folder)
    if (generation !== undefined && names.includes(generation)) this.#finished.set(id, generation)
    const kept = this.#finished.has(id) ? [marker, generation] : []
    const gone = names.filter((name) => !kept.includes(name))
    await Promise.all(gone.map((name) => rm(join(folder, name), { recursive: true, force: true })))
    if (kept.length === 0) await rm(folder, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
