import { expect, test } from 'vitest'
import { openTestStore } from '../testing/store.ts'
import {
  dropPayloads,
  endedRequests,
  forgetRequests,
  forgetRunners,
  oldRequests,
  oldRunners,
  unkeptRequests,
} from './retention.ts'
import type { Statement } from './store.ts'

/** What stands for a whole table in SQLite's own account of what it is about to do. */
const scan = /^SCAN (?!ended|\(subquery|CONSTANT)/

async function planOf({ text, values }: Statement): Promise<readonly string[]> {
  await using store = await openTestStore()
  return store.read({
    statement: { text: `explain query plan ${text}`, values },
    result: (rows) => rows.map((row) => String(row['detail'])),
  })
}

const statements: readonly (readonly [string, Statement])[] = [
  endedRequests().statement,
  oldRequests('app', 1).statement,
  unkeptRequests(1).statement,
  oldRunners(1).statement,
  ...forgetRequests(['a']).statements,
  ...dropPayloads([{ id: 'a', path: '/' }]).statements,
  ...forgetRunners([{ id: 'a', keyId: 'b' }]).statements,
].map((statement) => [statement.text.replace(/\s+/g, ' ').slice(0, 60), statement] as const)

test.each(statements)('no table is read from end to end: %s', async (_, statement) => {
  const plan = await planOf(statement)
  expect(plan.filter((line) => scan.test(line))).toEqual([])
  expect(plan.filter((line) => line.includes('TEMP B-TREE'))).toEqual([])
})
