import { Client, type CustomTypesConfig, DatabaseError, Pool, types as builtInTypes } from 'pg'
import { CarrickError } from '../../domain/errors.ts'
import type { Logger } from '../../kit/logger.ts'
import { Listeners } from '../changes.ts'
import { Committer, type CommitStats, type GroupEnded } from '../committer.ts'
import { knownMigrations, type Migration } from '../migrations.ts'
import type { Read, Row, Statement, Store, Topic, Write } from '../store.ts'
import { parserOf } from './dialect.ts'
import { commitGroup, Queries } from './group.ts'
import { migrate } from './migrate.ts'

export interface PostgresOptions {
  readonly url: string
  readonly log: Logger
  /** What to do when the writing connection is lost: a commit may have been on its way. The default ends the process. */
  readonly onFatal?: (error: Error) => void
  /** Writes beyond this many waiting ones are refused with `too_busy`. */
  readonly maxWaiting?: number
  readonly migrations?: readonly Migration[]
}

/** Postgres's word for a full disk. */
const DISK_FULL = '53100'

const types: CustomTypesConfig = {
  getTypeParser: (type, format) => parserOf(type) ?? builtInTypes.getTypeParser(type, format),
}

/** Opens the store of an installation with more than one replica, and brings its schema up to date. */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const { url, log, maxWaiting = 20_000, migrations = knownMigrations() } = options
  await withClient(url, (client) => migrate(client, migrations))
  const onFatal = options.onFatal ?? (() => process.exit(1))
  const writer = new Client({ connectionString: url, types, pipeline: true })
  const readers = new Pool({ connectionString: url, types, max: 4 })
  let lost = false
  writer.on('error', (error) => {
    if (lost) return // the server's last words, then the closed socket: that is one loss
    lost = true
    log.error(
      { err: error },
      'the store lost its writing connection; the process ends here and the next start recovers',
    )
    onFatal(error)
  })
  readers.on('error', (error) => log.warn({ err: error }, 'a reading connection to Postgres was lost'))
  await writer.connect()
  return new PostgresStore(writer, readers, maxWaiting)
}

async function withClient(connectionString: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString, types })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

/** Postgres behind one connection that commits groups, and a few that read. */
export class PostgresStore implements Store {
  readonly #writer: Client
  readonly #readers: Pool
  readonly #queries = new Queries()
  readonly #listeners = new Listeners()
  readonly #committer: Committer
  #closed: Promise<void> | undefined

  constructor(writer: Client, readers: Pool, maxWaiting: number) {
    this.#writer = writer
    this.#readers = readers
    this.#committer = new Committer({
      commitGroup: (group) => this.#commitGroup(group),
      changed: (topic) => this.#listeners.tell(topic),
      maxWaiting,
    })
  }

  async commit<T>(write: Write<T>): Promise<T> {
    this.#mustBeOpen()
    return this.#committer.commit(write)
  }

  async read<T>({ statement, result }: Read<T>): Promise<T> {
    this.#mustBeOpen()
    const { rows } = await this.#readers.query<Row>(this.#queries.of(statement))
    return result(rows)
  }

  onChange(topic: Topic, listener: () => void): () => void {
    return this.#listeners.add(topic, listener)
  }

  /** For benches: commits that reached the disk, and the writes that were in them. */
  stats(): CommitStats {
    return this.#committer.stats
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#committer.drained()
    await Promise.all([this.#writer.end(), this.#readers.end()])
  }

  async #commitGroup(group: readonly (readonly Statement[])[]): Promise<GroupEnded> {
    const began = performance.now()
    const ended = await commitGroup(this.#writer, this.#queries, group)
    const ends = ended.map((end) => ('error' in end ? { error: refusal(end.error) } : end))
    const commit = performance.now() - began
    return { ends, took: { commit, sync: commit } }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new CarrickError('draining', 'the store is closing')
  }
}

function refusal(error: Error): Error {
  if (!(error instanceof DatabaseError) || error.code !== DISK_FULL) return error
  return new CarrickError('disk_full', 'the disk is full: nothing was stored; make room and try again', {
    cause: error,
  })
}
