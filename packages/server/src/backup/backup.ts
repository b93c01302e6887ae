/**
 * Backup: a whole installation in one archive, while its server runs or not. Reads a data folder, writes a stream; in the
 * folder it leaves nothing. One at a time for each folder. `layout.ts` says what is in the archive.
 */
import { open, readFile, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { requireInstallation } from '../access/data-folder.ts'
import { version } from '../version.ts'
import { ArchiveWriter } from './archive-writer.ts'
import { holdConsistent } from './consistent.ts'
import { Contents, type LeftOut } from './contents.ts'
import { HeldFiles } from './held-files.ts'
import { formatVersion, type Head } from './layout.ts'
import { packInto } from './packing.ts'

export interface BackupOptions {
  /** The data folder. */
  readonly folder: string
  readonly to: Writable
  /** Whether log lines go along. */
  readonly logs: boolean
  /** Without one it is not encrypted, and whoever reads it has every key. */
  readonly passphrase?: string | undefined
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
}

/** How far it is. */
export interface Progress {
  readonly files: number
  readonly bytes: number
  /** How many bytes there were when they were counted. */
  readonly ofBytes: number
}

export interface BackupReport {
  readonly head: Head
  readonly files: number
  readonly bytes: number
  /** What no archive can hold, or could not be read. */
  readonly leftOut: readonly LeftOut[]
  /** What the store names and the disk does not have: it was lost before. */
  readonly missing: readonly string[]
}

/** Writes the backup of a data folder and answers what is in it. Throws a sentence when it cannot be whole. */
export async function backUp({
  to,
  logs,
  passphrase,
  onProgress,
  signal,
  ...options
}: BackupOptions): Promise<BackupReport> {
  const folder = await realpath(resolve(options.folder)).catch(() => resolve(options.folder))
  await requireInstallation(folder)
  await using held = await HeldFiles.open(folder)
  await using sums = await open(held.pathOf('sums'), 'wx+', 0o600)
  const keptAt = await readFile(join(folder, 'blobs', 'kept-elsewhere'), 'utf8').catch(() => '')
  const { installation, owner, schema, missing } = await holdConsistent(folder, held, keptAt === '')
  const contents = new Contents({ folder, held, logs, signal })
  const head: Head = {
    format: formatVersion,
    carrick: version,
    created_at: new Date().toISOString(),
    installation,
    owner,
    schema,
    kept_at: keptAt,
    logs,
    ...(await contents.count()),
  }
  const done = { files: 0, bytes: 0 }
  const onFile = (bytes: number) => {
    done.files += 1
    done.bytes += bytes
    onProgress({ ...done, ofBytes: head.bytes })
  }
  const whole = await packInto(to, { passphrase, signal }, async (pack) => {
    const writer = new ArchiveWriter({ pack, sums, head, onFile })
    await writer.head()
    await contents.writeTo(writer)
    return await writer.end()
  })
  return { head, ...whole, leftOut: contents.leftOut, missing }
}
