/** The reader's thread: a connection that cannot write. A message is some statements, and each sees the newest commit. */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { SqlValue } from '../store.ts'
import { isFatal, packError } from './failures.ts'
import type { ReadAnswer } from './messages.ts'
import { Statements } from './statements.ts'

export interface ReaderData {
  readonly file: string
}

/** A read on its way: the text and its values. */
export type PackedRead = readonly [text: string, values: readonly SqlValue[]]

const { file }: ReaderData = workerData
const database = new DatabaseSync(file, { timeout: 5_000, readOnly: true })
const statements = new Statements(database)

function answerRead([text, values]: PackedRead): ReadAnswer {
  try {
    return { found: statements.find(text, values) }
  } catch (error) {
    const failed = packError(error)
    return { failed, fatal: isFatal(failed) }
  }
}

parentPort?.on('message', (reads: readonly PackedRead[] | 'close') => {
  if (reads === 'close') {
    database.close()
    parentPort?.close()
    return
  }
  parentPort?.postMessage(reads.map(answerRead))
})

parentPort?.postMessage('ready')
