import { expect, onTestFinished, test, vi } from 'vitest'
import { Committer, type CommitterOptions, type GroupEnded } from './committer.ts'
import { done, patiently, sql, write } from './sql.ts'
import type { Topic } from './store.ts'

const one = (name: string, topics: readonly Topic[] = []) => write([sql`insert ${name}`], () => name, topics)
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A disk that is done with a group when the test says so. */
function slowDisk({ sync = 1, ...options }: Partial<CommitterOptions> & { readonly sync?: number } = {}) {
  const groups: string[][] = []
  let finish: ((how?: Error) => void) | undefined
  const committer = new Committer({
    changed: () => {},
    commitGroup: (group) => {
      groups.push(group.map(([statement]) => String(statement?.values[0])))
      return new Promise<GroupEnded>((resolve, reject) => {
        finish = (error) =>
          error ? reject(error) : resolve({ ends: group.map(() => ({ results: [] })), took: { commit: 1, sync } })
      })
    },
    ...options,
  })
  const finishGroup = async (error?: Error) => {
    finish?.(error)
    await turn()
  }
  return { committer, groups, finishGroup }
}

test('a lone write is on its way within a turn of the event loop', async () => {
  const { committer, groups } = slowDisk()
  void committer.commit(one('a'))
  await turn()
  expect(groups).toEqual([['a']])
})

test('everything handed over while a commit is on its way goes into the next', async () => {
  const { committer, groups, finishGroup } = slowDisk()
  const first = committer.commit(one('a'))
  await turn()
  const later = ['b', 'c', 'd'].map((name) => committer.commit(one(name)))
  await turn()
  expect(groups).toEqual([['a']])

  await finishGroup()
  await first
  await expect.poll(() => groups).toEqual([['a'], ['b', 'c', 'd']])
  await finishGroup()
  expect(await Promise.all(later)).toEqual(['b', 'c', 'd'])
  expect(committer.stats).toMatchObject({ commits: 2, writes: 4 })
})

test('half of the usual writers go as soon as they are there, and the others before those are told', async () => {
  vi.useFakeTimers({ toFake: ['performance'] }) // nobody stays away for long, however busy the machine is
  onTestFinished(() => void vi.useRealTimers())
  const { committer, groups, finishGroup } = slowDisk({ sync: 0 })
  const all = ['a', 'b', 'c', 'd'].map((name) => committer.commit(one(name)))
  await turn()
  await finishGroup()
  await Promise.all(all)

  const groupsWhenTold = committer.commit(one('e')).then(() => groups.length)
  const others = ['f', 'g', 'h'].map((name) => committer.commit(one(name)))
  expect(groups).toEqual([
    ['a', 'b', 'c', 'd'],
    ['e', 'f'],
  ])
  await finishGroup()
  expect(await groupsWhenTold).toBe(3)
  expect(groups.at(-1)).toEqual(['g', 'h'])
  await finishGroup()
  await Promise.all(others)
})

test('a writer is not told before its group is on disk', async () => {
  const { committer, finishGroup } = slowDisk()
  let told = false
  const waiting = committer.commit(one('a')).then(() => (told = true))
  await turn()
  await turn()
  expect(told).toBe(false)
  await finishGroup()
  await waiting
})

test('a group that is lost is lost for all of its writers, and the next one is tried', async () => {
  const { committer, groups, finishGroup } = slowDisk()
  const lost = Promise.allSettled(['a', 'b'].map((name) => committer.commit(one(name))))
  await turn()
  await finishGroup(new Error('disk full'))
  expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected'])

  const next = committer.commit(one('c'))
  await expect.poll(() => groups).toEqual([['a', 'b'], ['c']])
  await finishGroup()
  await expect(next).resolves.toBe('c')
  expect(committer.stats).toMatchObject({ commits: 1, writes: 1 })
})

test('beyond the bound, writes are refused at once', async () => {
  const { committer, finishGroup } = slowDisk({ maxWaiting: 2 })
  const kept = ['a', 'b'].map((name) => committer.commit(one(name)))
  await expect(committer.commit(one('c'))).rejects.toMatchObject({ code: 'too_busy' })
  await turn()
  await finishGroup()
  expect(await Promise.all(kept)).toEqual(['a', 'b'])
})

test('a commit has a largest size', async () => {
  const { committer, groups, finishGroup } = slowDisk({ maxGroup: 2 })
  const all = ['a', 'b', 'c'].map((name) => committer.commit(one(name)))
  await turn()
  await finishGroup()
  await expect.poll(() => groups).toEqual([['a', 'b'], ['c']])
  await finishGroup()
  await Promise.all(all)
})

test('listeners are told once per group and topic, after the writers', async () => {
  const told: string[] = []
  const { committer, finishGroup } = slowDisk({ changed: (topic) => told.push(topic) })
  const both = ['a', 'b'].map((name) => committer.commit(one(name, ['app'])))
  await turn()
  expect(told).toEqual([])
  await finishGroup()
  await Promise.all(both)
  expect(told).toEqual(['app'])
})

test('drained waits for the last write', async () => {
  const { committer, finishGroup } = slowDisk()
  await committer.drained()
  let drained = false
  void committer.commit(write([], done))
  const end = committer.drained().then(() => (drained = true))
  await turn()
  expect(drained).toBe(false)
  await finishGroup()
  await end
})

test('a write that nobody waits for goes along with the next that somebody does, and does not make it wait', async () => {
  const { committer, groups, finishGroup } = slowDisk()
  const along = committer.commit(patiently(one('along')))
  await turn()
  expect(groups).toEqual([])
  const urgent = committer.commit(one('urgent'))
  await turn()
  expect(groups).toEqual([['along', 'urgent']])
  await finishGroup()
  expect(await Promise.all([along, urgent])).toEqual(['along', 'urgent'])
  const next = committer.commit(one('next'))
  await turn() // a group of two would have been waited for, had both been of those who come back
  expect(groups.at(-1)).toEqual(['next'])
  await finishGroup()
  await next
})

test('a write that nobody waits for is alone when nobody else comes', async () => {
  const { committer, groups, finishGroup } = slowDisk()
  const first = committer.commit(patiently(one('a')))
  const drained = committer.drained()
  await expect.poll(() => groups).toEqual([['a']])
  const second = committer.commit(patiently(one('b')))
  await finishGroup()
  await first
  await expect.poll(() => groups).toEqual([['a'], ['b']])
  await finishGroup()
  expect(await second).toBe('b')
  await drained
})

test('one that may wait long does, and not beyond the end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { committer, groups, finishGroup } = slowDisk()
  const long = committer.commit(patiently(one('long'), 3_600_000))
  const short = committer.commit(patiently(one('short')))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(groups).toEqual([['long', 'short']]) // it goes along with one that waits less
  await finishGroup()
  await Promise.all([long, short])
  const last = committer.commit(patiently(one('last'), 3_600_000))
  await vi.advanceTimersByTimeAsync(3_599_000)
  expect(groups).toHaveLength(1)
  const drained = committer.drained()
  await vi.advanceTimersByTimeAsync(1)
  expect(groups.at(-1)).toEqual(['last'])
  await finishGroup()
  await Promise.all([last, drained])
})
