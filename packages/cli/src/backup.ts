import { backUp, type BackupReport } from '@carrick/server/backup'
import { syncFolder } from '@carrick/server/files'
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { link, rename, rm, stat } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import {
  askedPassphrase,
  givenPassphrase,
  progressShown,
  size,
  untilInterrupted,
  type ArchiveFlags,
} from './archive.ts'
import { dataFolder } from './connection.ts'
import { print } from './output.ts'

interface Flags extends ArchiveFlags {
  readonly data?: string
  readonly logs?: boolean
  readonly encrypt?: boolean
  readonly force?: boolean
}

/** `carrick backup FILE`: a whole installation in one file. */
export async function backup(file: string, flags: Flags): Promise<void> {
  if (file === '-' && process.stdout.isTTY)
    throw new Error('a backup is nothing for a terminal: name a file, or lead the output somewhere')
  const folder = dataFolder(flags.data)
  const given = await givenPassphrase(flags)
  const passphrase = given ?? (flags.encrypt === true ? await askedPassphrase() : undefined)
  const signal = untilInterrupted()
  const { onProgress, end } = progressShown('Backup')
  const write = (to: Writable) => backUp({ folder, to, logs: flags.logs === true, passphrase, onProgress, signal })
  const report = await (
    file === '-' ? write(process.stdout) : intoFile(file, { folder, force: flags.force === true }, write)
  ).finally(end)
  for (const line of warnings(report, passphrase !== undefined)) console.error(line)
  if (file !== '-') await said(file, report, flags)
}

/** The file is in place when it is whole, and on disk. Only its owner may read it. */
async function intoFile(
  file: string,
  { folder, force }: { readonly folder: string; readonly force: boolean },
  write: (to: Writable) => Promise<BackupReport>,
): Promise<BackupReport> {
  const path = resolve(file)
  if (!relative(folder, path).startsWith('..'))
    throw new Error(`${file} is in the data folder: a backup there is lost with what it is a backup of`)
  if (!force && (await stat(path).catch(() => undefined)) !== undefined) throw isThere(file)
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`
  try {
    const report = await write(createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }))
    if (force) await rename(draft, path)
    else await link(draft, path)
    return report
  } catch (error) {
    throw error instanceof Error && 'code' in error && error.code === 'EEXIST' ? isThere(file) : error
  } finally {
    await rm(draft, { force: true })
    await syncFolder(dirname(path))
  }
}

const isThere = (file: string) =>
  new Error(`${file} is there already: name another file, or take its place with --force`)

async function said(file: string, report: BackupReport, flags: Flags): Promise<void> {
  const { head, files, bytes, missing, leftOut } = report
  const { size: length } = await stat(file)
  const text =
    `${file} (${size(length)}) holds ${files} files, ${size(bytes)}, of ${head.owner}'s installation as it was at ${head.created_at}` +
    `. Restore it with \`npx carrick restore ${file} --data NEW_FOLDER\``
  const json = {
    file,
    length,
    files,
    bytes,
    created_at: head.created_at,
    kept_at: head.kept_at,
    missing,
    left_out: leftOut,
  }
  print({ text, json }, flags)
}

const mostNamed = 10

function warnings({ head, missing, leftOut }: BackupReport, isEncrypted: boolean): string[] {
  const lines: string[] = []
  if (!isEncrypted)
    lines.push('It is not encrypted, and holds every key and secret: keep it where nobody else reads it.')
  if (head.kept_at !== '')
    lines.push(
      `Large bodies, results, uploads and the code of apps are NOT in it: they are kept at ${head.kept_at}, which needs a backup of its own.`,
    )
  for (const name of missing.slice(0, mostNamed)) lines.push(`Missing, and so not in it: ${name}`)
  for (const { name, why } of leftOut.slice(0, mostNamed))
    lines.push(`Left out: ${JSON.stringify(name)}, because ${why}`)
  const more = Math.max(0, missing.length - mostNamed) + Math.max(0, leftOut.length - mostNamed)
  return more > 0 ? [...lines, `… and ${more} more`] : lines
}
