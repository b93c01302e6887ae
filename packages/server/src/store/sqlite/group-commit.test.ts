import { expect, test } from 'vitest'
import { openTestStore } from '../../testing/store.ts'
import { done, sql, write } from '../sql.ts'

const turns = (count: number) =>
  Array.from({ length: count }).reduce<Promise<void>>(
    (before) => before.then(() => new Promise((resolve) => setImmediate(resolve))),
    Promise.resolve(),
  )

test('sixty-four callers that come back one after another share their commits', async () => {
  await using store = await openTestStore()
  const caller = async (number: number) => {
    for (let count = 0; count < 50; count += 1) {
      await store.commit(write([sql`insert into installation values (${`${number}/${count}`}, 'x')`], done))
      await turns(number % 4) // answered together, but each takes its own time to return
    }
  }
  await Promise.all(Array.from({ length: 64 }, (_, number) => caller(number)))
  const { commits, writes } = store.stats()
  expect(writes).toBe(3_200)
  expect(commits / (writes / 1_000)).toBeLessThan(40)
})

test('a lone caller has a commit of its own each time', async () => {
  await using store = await openTestStore()
  for (let count = 0; count < 5; count += 1) {
    await store.commit(write([sql`insert into installation values (${`lone/${count}`}, 'x')`], done))
  }
  expect(store.stats()).toMatchObject({ commits: 5, writes: 5 })
})
