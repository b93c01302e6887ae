import { open, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Entry, ZipFile } from 'yauzl'
import { CarrickError } from '../domain/errors.ts'
import { checkApart, relativePathOf, type FilePath } from '../domain/file-path.ts'

/** A file of an archive, unpacked. */
export interface Unpacked {
  readonly path: FilePath
  readonly draft: string
  readonly length: number
}

export interface UnzipLimits {
  readonly entries: number
  /** Bytes of all files together, unpacked. */
  readonly bytes: number
}

/**
 * Unpacks an archive that a client sent into an empty folder. All that it says of itself is checked before anything is
 * written, and what comes out is held to it. Throws `bad_request` with the reason.
 */
export async function unzip(archive: string, into: string, limits: UnzipLimits): Promise<readonly Unpacked[]> {
  const { openPromise } = await import('yauzl')
  const zip = await openPromise(archive, { autoClose: false }).catch((error: unknown) => {
    throw translated(error)
  })
  try {
    return await unpacked(zip, await listed(zip, limits), into)
  } catch (error) {
    throw translated(error)
  } finally {
    zip.close()
  }
}

/** What is wrong with an archive, the library says in words; what is wrong with our disk keeps its own. */
function translated(error: unknown): unknown {
  if (error instanceof CarrickError || (error instanceof Error && 'syscall' in error)) return error
  return refusal(error instanceof Error ? error.message : String(error), error)
}

interface Listed {
  readonly entry: Entry
  readonly path: FilePath
}

async function listed(zip: ZipFile, limits: UnzipLimits): Promise<readonly Listed[]> {
  if (zip.entryCount > limits.entries)
    throw refusal(`it holds ${zip.entryCount} entries, and ${limits.entries} are allowed`)
  const files: Listed[] = []
  let bytes = 0
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue // a folder is made with what is in it
    const path = relativePathOf(entry.fileName)
    if (!isFile(entry)) throw refusal(`"${path.join('/')}" is a link or a device`)
    if (entry.isEncrypted()) throw refusal(`"${path.join('/')}" is encrypted`)
    bytes += entry.uncompressedSize
    if (bytes > limits.bytes) throw refusal(`unpacked it has more than ${limits.bytes} bytes (CARRICK_UNZIP_LIMIT)`)
    files.push({ entry, path })
  }
  checkApart(files.map(({ path }) => path))
  return files
}

/** Unix writes a file's kind into the upper half; other systems leave it empty. */
function isFile({ externalFileAttributes }: Entry): boolean {
  const kind = (externalFileAttributes >>> 16) & 0o170000
  return kind === 0 || kind === 0o100000
}

async function unpacked(zip: ZipFile, files: readonly Listed[], into: string): Promise<readonly Unpacked[]> {
  const all: Unpacked[] = []
  for (const [index, { entry, path }] of files.entries()) {
    // Numbered, so that what the archive calls them decides about no file here.
    const draft = join(into, String(Math.floor(index / 1_000)), String(index))
    await mkdir(dirname(draft), { recursive: true })
    await using file = await open(draft, 'wx', 0o644)
    for await (const chunk of await zip.openReadStreamPromise(entry)) await file.writeFile(chunk as Buffer)
    await file.sync()
    all.push({ path, draft, length: entry.uncompressedSize })
  }
  return all
}

const refusal = (why: string, cause?: unknown) =>
  new CarrickError('bad_request', `The archive is refused: ${why}. Nothing of it was unpacked`, { cause })
