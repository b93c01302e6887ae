import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DayFile, UnknownVersion } from './day-file.ts'
import { type Day, dayOfFile, fileNameOf, isExpired } from './days.ts'

export interface DayFilesOptions {
  readonly folder: string
  readonly retentionDays: number
  /** A file was opened that has lines in it already. */
  readonly reopened: (day: Day, file: DayFile) => void
  readonly warn: (fields: object, message: string) => void
}

/** The log files of a folder. Each is opened when it is first needed, and one that is damaged is put out of the way. */
export class DayFiles {
  readonly #options: DayFilesOptions
  readonly #open = new Map<Day, DayFile>()
  #cleanedOn: Day | undefined

  constructor(options: DayFilesOptions) {
    this.#options = options
  }

  /** Days that have a file, newest first. */
  days(): Day[] {
    const days = this.#names().flatMap((name) => {
      const day = dayOfFile(name)
      return day !== undefined && name === fileNameOf(day) ? [day] : []
    })
    return days.toSorted((one, other) => other - one)
  }

  /** Does something with a day's file. `undefined` when the file is damaged: then it has been set aside. */
  use<T>(day: Day, action: (file: DayFile) => T): T | undefined {
    try {
      return action(this.#fileOf(day))
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#setAside(day, error)
      return undefined
    }
  }

  /** Deletes the files of days that are no longer kept, once for each new day. */
  deleteExpired(today: Day): void {
    if (this.#cleanedOn === today) return
    this.#cleanedOn = today
    for (const name of this.#names()) {
      const day = dayOfFile(name)
      if (day === undefined || !isExpired(day, today, this.#options.retentionDays)) continue
      this.#close(day)
      rmSync(join(this.#options.folder, name), { force: true })
    }
  }

  close(): void {
    for (const day of this.#open.keys()) this.#close(day)
  }

  #names(): string[] {
    mkdirSync(this.#options.folder, { recursive: true })
    return readdirSync(this.#options.folder)
  }

  #fileOf(day: Day): DayFile {
    const known = this.#open.get(day)
    if (known !== undefined) return known
    const isNew = !this.#names().includes(fileNameOf(day))
    const file = new DayFile(join(this.#options.folder, fileNameOf(day)))
    this.#open.set(day, file)
    if (!isNew) this.#options.reopened(day, file)
    return file
  }

  #setAside(day: Day, error: Error): void {
    this.#close(day)
    const name = fileNameOf(day)
    const aside = `${name}.damaged-${randomBytes(4).toString('hex')}`
    for (const ending of ['', '-wal', '-shm']) this.#moveAside(`${name}${ending}`, `${aside}${ending}`)
    this.#options.warn(
      { err: error.message, file: aside },
      'a log file is damaged and was set aside; a new one takes its place',
    )
  }

  #moveAside(name: string, aside: string): void {
    const { folder } = this.#options
    if (this.#names().includes(name)) renameSync(join(folder, name), join(folder, aside))
  }

  #close(day: Day): void {
    const file = this.#open.get(day)
    this.#open.delete(day)
    try {
      file?.close()
    } catch {
      // A damaged file may refuse to be tidied up; it is given up anyway.
    }
  }
}

const SQLITE_ERROR = 1
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** Whether the file is at fault: damaged, or with tables that are not ours. A full disk, for one, is no damage. */
function isDamage(error: unknown): error is Error {
  if (error instanceof UnknownVersion) return true
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false
  return [SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB].includes(error.errcode & 0xff)
}
