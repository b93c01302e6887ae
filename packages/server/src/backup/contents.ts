import { open, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { dayOfFile, fileNameOf } from '../logs/days.ts'
import { copyDatabase } from '../store/sqlite/whole.ts'
import type { ArchiveWriter } from './archive-writer.ts'
import type { HeldFiles } from './held-files.ts'
import { ownerOf } from './layout.ts'
import { treeOf, type Kept } from './tenant-tree.ts'

export interface LeftOut {
  readonly name: string
  readonly why: string
}

interface ContentsParts {
  readonly folder: string
  /** Store, key, blobs and uploads. */
  readonly held: HeldFiles
  readonly logs: boolean
  readonly signal: AbortSignal
}

/** All that a backup of a data folder holds. Built anew on another machine, and so left out: environments, caches, tools, runners. */
export class Contents {
  readonly leftOut: LeftOut[] = []
  readonly #parts: ContentsParts

  constructor(parts: ContentsParts) {
    this.#parts = parts
  }

  /** How much it is now. */
  async count(): Promise<{ readonly files: number; readonly bytes: number }> {
    const { folder, held } = this.#parts
    const paths = [...held.names].map((name) => held.pathOf(name))
    for (const name of [...(await this.#plain()), ...(await this.#logs())]) paths.push(join(folder, name))
    let [files, bytes] = [paths.length, 0]
    for (const path of paths) bytes += (await stat(path)).size
    for await (const kept of this.#kept()) {
      if (kept.kind !== 'file') continue
      files += 1
      bytes += kept.facts.size
    }
    return { files, bytes }
  }

  async writeTo(writer: ArchiveWriter): Promise<void> {
    const { folder, held } = this.#parts
    for (const name of held.names) await this.#file(writer, name, held.pathOf(name))
    for (const name of await this.#plain()) await this.#file(writer, name, join(folder, name))
    for (const name of await this.#logs()) await this.#log(writer, name)
    for await (const kept of this.#kept()) {
      if (kept.kind === 'file') await writer.file(kept.name, kept.file, kept.facts)
      else if (kept.kind === 'folder') await writer.folder(kept.name, kept.facts)
      else if (kept.kind === 'link') await writer.link(kept.name, kept.target, kept.facts)
      else this.leftOut.push(kept)
    }
  }

  async #file(writer: ArchiveWriter, name: string, path: string): Promise<void> {
    await using file = await open(path, 'r')
    await writer.file(name, file, await file.stat())
  }

  async #log(writer: ArchiveWriter, name: string): Promise<void> {
    const { folder, held } = this.#parts
    const copy = held.pathOf('log.sqlite')
    try {
      await copyDatabase(join(folder, name), copy)
    } catch (error) {
      this.leftOut.push({ name, why: error instanceof Error ? error.message : String(error) })
      return
    }
    await this.#file(writer, name, copy)
    await rm(copy)
  }

  /** Small files that change seldom and are put in place whole. */
  async #plain(): Promise<readonly string[]> {
    const { folder } = this.#parts
    const tls = (await namesIn(join(folder, 'tls'), true)).map((name) => `tls/${name}`).filter(isNotMade)
    const names = ['credentials.json', 'carrick.toml', 'blobs/kept-elsewhere', ...tls]
    const there = await Promise.all(names.map(async (name) => ownerOf(name) && (await isFile(join(folder, name)))))
    return names.filter((_, index) => there[index] === true)
  }

  async #logs(): Promise<readonly string[]> {
    if (!this.#parts.logs) return []
    const names = await namesIn(join(this.#parts.folder, 'logs'))
    const days = names.filter((name) => {
      const day = dayOfFile(name)
      return day !== undefined && fileNameOf(day) === name
    })
    return days.map((name) => `logs/${name}`)
  }

  /** What runners keep, and what is on its way there in parts. */
  async *#kept(): AsyncGenerator<Kept> {
    const data = join(this.#parts.folder, 'data')
    for (const account of await namesIn(data)) {
      if (account === '.incoming') continue
      const path = await realpath(join(data, account)) // an operator may have put it on another disk
      if (!(await stat(path)).isDirectory()) continue
      for await (const kept of treeOf(path, `data/${account}`)) {
        this.#parts.signal.throwIfAborted()
        yield kept
      }
    }
  }
}

async function namesIn(folder: string, recursive = false): Promise<string[]> {
  const names = await readdir(folder, { recursive }).catch(() => [])
  return names.toSorted((one, other) => (one < other ? -1 : 1))
}

const isFile = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() ?? false

/** The bundle of roots is written at each start. */
const isNotMade = (name: string) => name !== 'tls/bundle.pem'
