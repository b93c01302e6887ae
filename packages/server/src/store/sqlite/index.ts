import { CarrickError } from '../../domain/errors.ts'
import type { Logger } from '../../kit/logger.ts'
import { Listeners } from '../changes.ts'
import { Committer, type CommitStats, type GroupEnded } from '../committer.ts'
import { knownMigrations, type Migration } from '../migrations.ts'
import type { Read, Statement, Store, Topic, Write } from '../store.ts'
import { isDiskFull } from './failures.ts'
import { unflattenEnds } from './flat-ends.ts'
import { flattenGroup, type FlatGroup } from './flat-group.ts'
import type { Failure, GroupAnswer, ReadAnswer } from './messages.ts'
import { ownBytes, SqliteError, unpackRows } from './packed.ts'
import type { PackedRead, ReaderData } from './reader.ts'
import { Reads } from './reads.ts'
import { Thread } from './thread.ts'
import type { WriterData } from './writer.ts'

export interface SqliteOptions {
  readonly file: string
  readonly log: Logger
  /** What to do when the disk can no longer be trusted. The default ends the process: the next start recovers. */
  readonly onFatal?: (error: Error) => void
  /** Writes and reads beyond this many waiting ones are refused with `too_busy`. */
  readonly maxWaiting?: number
  readonly migrations?: readonly Migration[]
}

/** Opens the embedded store and brings its schema up to date. Throws, file untouched, when a newer version wrote it. */
export async function openSqliteStore(options: SqliteOptions): Promise<SqliteStore> {
  const { file, log, maxWaiting = 20_000, migrations = knownMigrations() } = options
  const onFatal = options.onFatal ?? (() => process.exit(1))
  const fatal = (error: Error): void => {
    log.error({ err: error, file }, 'the store lost its disk; the process ends here and the next start recovers')
    onFatal(error)
  }
  const writing: WriterData = { file, migrations }
  const writer = await Thread.start<FlatGroup, GroupAnswer>({ name: 'writer', data: writing }, fatal)
  try {
    const reading: ReaderData = { file }
    const reader = await Thread.start<readonly PackedRead[], readonly ReadAnswer[]>(
      { name: 'reader', data: reading },
      fatal,
    )
    return new SqliteStore({ writer, reads: new Reads(reader), fatal, maxWaiting })
  } catch (error) {
    await writer.close()
    throw error
  }
}

interface Parts {
  readonly writer: Thread<FlatGroup, GroupAnswer>
  readonly reads: Reads
  readonly fatal: (error: Error) => void
  readonly maxWaiting: number
}

/** SQLite behind two threads: one commits groups, one reads. */
export class SqliteStore implements Store {
  readonly #parts: Parts
  readonly #listeners = new Listeners()
  readonly #committer: Committer
  #closed: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#committer = new Committer({
      commitGroup: (group) => this.#commitGroup(group),
      changed: (topic) => this.#listeners.tell(topic),
      maxWaiting: parts.maxWaiting,
    })
  }

  async commit<T>(write: Write<T>): Promise<T> {
    this.#mustBeOpen()
    return this.#committer.commit(write)
  }

  async read<T>({ statement: { text, values }, result }: Read<T>): Promise<T> {
    this.#mustBeOpen()
    const { reads, maxWaiting } = this.#parts
    if (reads.waiting >= maxWaiting) throw new CarrickError('too_busy', `${reads.waiting} reads are waiting already`)
    const answer = await reads.ask([text, values.map(ownBytes)])
    if ('failed' in answer) throw this.#errorOf(answer)
    return result(unpackRows(answer.found))
  }

  onChange(topic: Topic, listener: () => void): () => void {
    return this.#listeners.add(topic, listener)
  }

  /** Commits that reached the disk, and the writes that were in them. */
  stats(): CommitStats {
    return this.#committer.stats
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#committer.drained()
    await this.#parts.reads.close()
    await this.#parts.writer.close()
  }

  async #commitGroup(group: readonly (readonly Statement[])[]): Promise<GroupEnded> {
    const flat = flattenGroup(group)
    const answer = await this.#parts.writer.ask(flat, [flat.bytes.buffer])
    if ('failed' in answer) throw this.#errorOf(answer)
    return { ends: unflattenEnds(answer.ends), took: answer.took }
  }

  #errorOf({ failed, fatal }: Failure): Error {
    const error = new SqliteError(failed)
    if (fatal) this.#parts.fatal(error)
    if (!isDiskFull(failed)) return error
    return new CarrickError('disk_full', 'the disk is full: nothing was stored; make room and try again', {
      cause: error,
    })
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new CarrickError('draining', 'the store is closing')
  }
}
