/**
 * The writer's thread: the only connection that writes. It brings the schema up to date, then takes groups, each of
 * which is one commit. A group is answered before the log is tidied, so nobody waits for that.
 */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Migration } from '../migrations.ts'
import { checkpointWhenLong } from './checkpoint.ts'
import { isFatal, packError } from './failures.ts'
import { flattenEnds } from './flat-ends.ts'
import { unflattenGroup, type FlatGroup } from './flat-group.ts'
import type { GroupAnswer } from './messages.ts'
import { migrate } from './migrate.ts'
import { runGroup } from './run-group.ts'
import { Statements } from './statements.ts'

export interface WriterData {
  readonly file: string
  readonly migrations: readonly Migration[]
}

const { file, migrations }: WriterData = workerData
const database = new DatabaseSync(file, { timeout: 5_000, enableForeignKeyConstraints: true })
const statements = new Statements(database)

function open(): void {
  migrate(database, statements, migrations)
  database.exec('pragma journal_mode = wal')
  database.exec('pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma journal_size_limit = 67108864')
  checkpointWhenLong(statements)
}

function answerGroup(group: FlatGroup): GroupAnswer {
  const began = performance.now()
  try {
    const { ends, syncMs } = runGroup(database, statements, unflattenGroup(group))
    return { ends: flattenEnds(ends), took: { commit: performance.now() - began, sync: syncMs } }
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): GroupAnswer {
  const failed = packError(error)
  return { failed, fatal: isFatal(failed) }
}

function tidyUp(): void {
  try {
    checkpointWhenLong(statements)
  } catch (error) {
    const failed = packError(error)
    if (isFatal(failed)) throw error
  }
}

parentPort?.on('message', (group: FlatGroup | 'close') => {
  if (group === 'close') {
    database.close()
    parentPort?.close()
    return
  }
  parentPort?.postMessage(answerGroup(group))
  tidyUp()
})

open()
parentPort?.postMessage('ready')
