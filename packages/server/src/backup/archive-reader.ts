import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, lchown, mkdir, open, realpath, symlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Header } from 'tar-stream'
import { z } from 'zod'
import { End, endName, Head, headName, mostBytes, ownerOf, sumLine, sumsName } from './layout.ts'
import type { Entry } from './packing.ts'

interface ReaderParts {
  /** Empty, nobody else's, and no link is on the way there. */
  readonly folder: string
  /** For notes on the way; not in `folder`. */
  readonly notes: string
  /** Called with what the archive says of itself, before any of it is written. */
  readonly onHead: (head: Head) => Promise<void>
  readonly onFile: (bytes: number) => void
}

/** Puts in place when all files are there: links, of which none may be on the way of a file, and the modes of folders. */
const Late = z.union([
  z.object({ link: z.string(), target: z.string(), uid: z.number(), gid: z.number() }),
  z.object({ folder: z.string(), mode: z.number(), uid: z.number(), gid: z.number() }),
])

/**
 * Reads an archive into a folder. Whoever made it is not believed: names that lead elsewhere, names that come twice, links and
 * devices where none belong and more than it said are refused, and every file is compared with its SHA-256.
 */
export class ArchiveReader {
  readonly #parts: ReaderParts
  readonly #allSums = createHash('sha256')
  #head: Head | undefined
  #files = 0
  #bytes = 0
  #entries = 0

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  /** Resolves when all is in place and right. Throws a sentence otherwise. */
  async read(archive: AsyncIterable<Entry>): Promise<Head> {
    const { notes } = this.#parts
    await using late = await open(join(notes, 'late'), 'wx+', 0o600)
    await using sums = await open(join(notes, 'sums'), 'wx', 0o600)
    let end: z.infer<typeof End> | undefined
    for await (const entry of archive) {
      if (end !== undefined) throw refusal('something comes after its end')
      if (this.#head === undefined) await this.#begin(entry)
      else if (entry.header.name === sumsName) await this.#compare(entry)
      else if (entry.header.name === endName) end = End.parse(JSON.parse(await shortText(entry)))
      else await this.#take(entry, late, sums)
    }
    this.#requireEnd(end)
    await this.#finish()
    return this.#known()
  }

  async #begin(entry: Entry): Promise<void> {
    if (entry.header.name !== headName) throw refusal('it is no backup of Carrick: it does not begin as one')
    const head = Head.safeParse(JSON.parse(await shortText(entry)))
    if (!head.success) throw refusal(head.error.issues[0]?.message ?? 'its head cannot be read')
    this.#head = head.data
    await this.#parts.onHead(head.data)
  }

  #known(): Head {
    if (this.#head === undefined) throw refusal('it is empty')
    return this.#head
  }

  async #take(entry: Entry, late: FileHandle, sums: FileHandle): Promise<void> {
    const { header } = entry
    const name = header.type === 'directory' ? header.name.replace(/\/$/, '') : header.name
    const owner = ownerOf(name)
    const shown = JSON.stringify(name.slice(0, 200))
    if (owner === undefined) throw refusal(`no backup holds a file called ${shown}`)
    this.#entries += 1
    if (this.#entries > mostEntries(this.#known())) throw refusal('it holds more entries than it says')
    const isAllowed = header.type === 'file' || (owner === 'runners' && ['directory', 'symlink'].includes(header.type))
    if (!isAllowed) throw refusal(`${shown} is a ${header.type} where no such belongs`)
    if (header.type === 'file') return this.#file(name, entry, sums)
    entry.resume()
    const { uid, gid, mode } = header
    const path = join(this.#parts.folder, name)
    if (header.type === 'directory') await mkdir(path, { recursive: true, mode: 0o700 })
    const note =
      header.type === 'directory'
        ? { folder: name, mode: mode & 0o777, uid, gid }
        : { link: name, target: targetOf(header), uid, gid }
    await late.appendFile(`${JSON.stringify(note)}\n`)
  }

  async #file(name: string, entry: Entry, sums: FileHandle): Promise<void> {
    const { size, mode, mtime, uid, gid } = entry.header
    this.#bytes += size
    if (this.#bytes > mostBytes(this.#known())) throw refusal('it holds far more bytes than it says')
    const path = join(this.#parts.folder, name)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const hash = createHash('sha256')
    await using file = await open(path, 'wx', 0o600).catch(twice(name))
    for await (const chunk of entry as AsyncIterable<Uint8Array>) {
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    if (ownerOf(name) === 'runners' && mayChown) await file.chown(uid, gid)
    await file.chmod(mode & 0o777)
    await file.utimes(mtime, mtime)
    const line = sumLine(hash.digest('hex'), name)
    this.#allSums.update(line)
    await sums.appendFile(line)
    this.#files += 1
    this.#parts.onFile(size)
  }

  /** Names the first file that is not as it was. */
  async #compare(entry: Entry): Promise<void> {
    const own = createInterface({ input: createReadStream(join(this.#parts.notes, 'sums')) })[Symbol.asyncIterator]()
    const theirs = createInterface({ input: entry as unknown as Readable })
    for await (const line of theirs) {
      const next = await own.next()
      if (next.done === true || next.value !== line)
        throw refusal(`${line.slice(66, 266)} is damaged: it does not have the SHA-256 that it had`)
    }
  }

  #requireEnd(end: z.infer<typeof End> | undefined): void {
    if (end === undefined) throw refusal('it is not whole: its end is missing')
    const isSame = end.files === this.#files && end.bytes === this.#bytes && end.sums === this.#allSums.digest('hex')
    if (!isSame) throw refusal('its files are not those that it lists')
  }

  /** Links first: a folder may be one that nothing can be put into. */
  async #finish(): Promise<void> {
    for await (const { note, path } of this.#late()) {
      if (!('link' in note)) continue
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await requireReal(dirname(path))
      await symlink(note.target, path).catch(twice(note.link))
      if (mayChown) await lchown(path, note.uid, note.gid)
    }
    for await (const { note, path } of this.#late()) {
      if ('link' in note) continue
      await requireReal(path)
      if (mayChown) await lchown(path, note.uid, note.gid)
      await chmod(path, note.mode)
    }
  }

  async *#late() {
    const { folder, notes } = this.#parts
    for await (const line of createInterface({ input: createReadStream(join(notes, 'late')) })) {
      const note = Late.parse(JSON.parse(line))
      yield { note, path: join(folder, 'link' in note ? note.link : note.folder) }
    }
  }
}

/** A name that is taken already. */
function twice(name: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const isTaken = error.code === 'EEXIST' || error.code === 'EISDIR'
    throw isTaken ? refusal(`${JSON.stringify(name)} comes twice`) : error
  }
}

/** Throws where a link is on the way: what is done there would be done elsewhere. */
async function requireReal(path: string): Promise<void> {
  if ((await realpath(path)) !== path) throw refusal('a link in it is a folder as well')
}

/** Only root may give files to others. */
const mayChown = process.getuid?.() === 0

const mostEntries = ({ files }: Head) => 4 * files + 1_000_000
const mostText = 1 << 20

async function shortText(entry: Entry): Promise<string> {
  if (entry.header.size > mostText) throw refusal(`${entry.header.name} is too large`)
  return text(entry)
}

function targetOf({ linkname }: Header): string {
  if (linkname === undefined || linkname === null || linkname === '' || linkname.includes('\0'))
    throw refusal('a link in it leads nowhere')
  return linkname
}

export const refusal = (why: string, cause?: unknown) =>
  Object.assign(new Error(`The backup is refused: ${why}. Nothing of it was kept`, { cause }), { name: 'Refusal' })
