import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { openTestStore } from '../testing/store.ts'
import { requestNamed } from './idempotency.ts'
import { endedRequests, openRequests } from './request-lists.ts'
import { retriesOf } from './retries.ts'
import type { Read } from './store.ts'

/** How SQLite goes about it, one step a line. */
async function planOf({ statement }: Read<unknown>): Promise<string> {
  const store = await openTestStore()
  const database = new DatabaseSync(store.file, { readOnly: true })
  onTestFinished(async () => (database.close(), await store.close()))
  const steps = database.prepare(`explain query plan ${statement.text}`).all(...statement.values)
  return steps.map(({ detail }) => String(detail)).join('\n')
}

const page = { after: { finishedAt: 1, seq: 1 }, limit: 1 }
const window = { from: 0, to: 1 }

test.each<[what: string, Read<unknown>, index: string]>([
  ['open requests', openRequests('app', 1, 1), 'request_unfinished'],
  ['ended requests', endedRequests('app', 'all', window, page), 'request_finished'],
  ['failed requests', endedRequests('app', 'failed', window, page), 'request_failed'],
  ['dead letters', endedRequests('app', 'dead', window, page), 'request_dead'],
  ['retries', retriesOf('one', 1), 'request_retried_from'],
  ['the request of a name', requestNamed({ appId: 'app', callerId: 'c' }, 'k'), 'sqlite_autoindex_idempotency_key_1'],
])('a page of %s is read off an index, in its order', async (_, read, index) => {
  const plan = await planOf(read)
  expect(plan).toMatch(new RegExp(`SEARCH \\w+ USING (COVERING )?INDEX ${index} `))
  expect(plan).not.toMatch(/SCAN|TEMP B-TREE/)
})
