/**
 * A program that a test kills: commits from several callers at once and prints the name of each write when, and only
 * when, it was acknowledged.
 */
import { writeSync } from 'node:fs'
import { silent } from '../kit/logger.ts'
import { done, sql, write } from '../store/sql.ts'
import { openSqliteStore } from '../store/sqlite/index.ts'

const [file = '', round = ''] = process.argv.slice(2)
const store = await openSqliteStore({ file, log: silent })

async function commitForever(caller: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const name = `${round}/${caller}/${count}`
    const pair = [
      sql`insert into installation values (${name}, 'x')`,
      sql`insert into installation values (${`${name}+`}, 'x')`,
    ]
    await store.commit(write(pair, done))
    writeSync(1, `${name}\n`)
  }
}

await Promise.all(Array.from({ length: 8 }, (_, caller) => commitForever(caller)))
