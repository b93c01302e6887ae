import { truncateSync, writeFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { mayMount, smallDisk } from '../../testing/small-disk.ts'
import { openTestStore } from '../../testing/store.ts'
import { done, read, sql, write } from '../sql.ts'
import { openSqliteStore } from './index.ts'

const big = (name: string) => write([sql`insert into installation values (${name}, ${'x'.repeat(30_000)})`], done)
const count = read(sql`select name from installation`, (row) => row['name'])

test.skipIf(!mayMount())(
  'a full disk refuses writes, keeps what it has, and takes more when there is room (needs root: a disk of its own)',
  async () => {
    await using disk = await smallDisk(6)
    const ballast = join(disk.path, 'ballast')
    writeFileSync(ballast, Buffer.alloc(3 * 2 ** 20))
    const store = await openSqliteStore({ file: join(disk.path, 'carrick.db'), log: silent })
    const names = Array.from({ length: 150 }, (_, index) => `n-${index}`)
    const stored: string[] = []
    const refusals = new Set<unknown>()
    for (const name of names) {
      await store.commit(big(name)).then(
        () => stored.push(name),
        (error) => refusals.add(error.code),
      )
    }
    expect((await statfs(disk.path)).bavail).toBeLessThan(100)
    expect([...refusals]).toEqual(['disk_full'])
    expect(new Set(await store.read(count))).toEqual(new Set(stored))

    truncateSync(ballast)
    await store.commit(big('there is room'))
    expect(await store.read(count)).toContain('there is room')
    await store.close()
  },
)

test('a disk that lies about what it holds ends the process', async () => {
  const lost: Error[] = []
  const said: string[] = []
  const log = { ...silent, error: (_fields: object, message: string) => void said.push(message) }
  const options = { log, onFatal: (error: Error) => void lost.push(error) }
  await using store = await openTestStore(options)
  await store.commit(big('before'))
  writeFileSync(store.file, Buffer.alloc(400_000, 'not a database'))
  truncateSync(`${store.file}-wal`)
  await expect(store.read(count)).rejects.toThrow(/malformed|not a database|I\/O/)
  expect(lost).toHaveLength(1)
  expect(said.join()).toMatch(/the next start recovers/)
})
