import type { PackedError } from './packed.ts'

/** SQLite's result codes that decide what happens next (the low byte names the family). */
const SQLITE_IOERR = 10
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26
/** The index beside the write-ahead log could not grow: the disk is full, and nothing was written yet. */
const SQLITE_IOERR_SHMSIZE = 4874

export function packError(error: unknown): PackedError {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' ? { message, errcode: code } : { message }
}

export function isDiskFull({ errcode = 0 }: PackedError): boolean {
  return (errcode & 0xff) === SQLITE_FULL || errcode === SQLITE_IOERR_SHMSIZE
}

/** After a failed sync nobody knows what is on disk. Only opening the file anew tells. */
export function isFatal(error: PackedError): boolean {
  const family = (error.errcode ?? 0) & 0xff
  return !isDiskFull(error) && [SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB].includes(family)
}

/** Failures that take the whole group along, not only the write that met them. */
export function endsGroup(error: PackedError): boolean {
  return isDiskFull(error) || isFatal(error)
}
