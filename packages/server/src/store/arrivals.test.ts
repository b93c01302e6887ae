import { expect, test } from 'vitest'
import { Arrivals } from './arrivals.ts'

/** Milliseconds of the server for each write, and of the disk for each commit, beyond what its writes take. */
interface World {
  readonly callers: number
  readonly each: number
  readonly sync: number
}

const commitTime = (sync: number) => (writes: number) => sync + 0.02 * writes

/** Callers who write again as soon as they are answered. The server works for one of them at a time, and the disk for one group. */
function simulate({ callers, each, sync }: World): { readonly perWrite: number; readonly sizes: readonly number[] } {
  const commit = commitTime(sync)
  const arrivals = new Arrivals(512)
  const sizes: number[] = []
  let [now, toServe, written] = [0, callers, 0]
  let disk: { readonly until: number; readonly count: number } | undefined
  const go = (): void => {
    const count = arrivals.waiting
    arrivals.went(count, now)
    disk = { until: now + commit(count), count }
    sizes.push(count)
  }
  const ended = (count: number): void => {
    disk = undefined
    arrivals.ended({ count, now, took: { commit: commit(count), sync } })
    toServe += count
    written += count
    if (arrivals.areEnough()) go()
  }
  const serve = (): void => {
    now += each
    toServe -= 1
    arrivals.came(now)
    if (!disk && arrivals.areEnough()) go()
  }
  while (written < 200 * callers) {
    if (disk && disk.until <= now) ended(disk.count)
    else if (toServe > 0) serve()
    else if (disk) now = disk.until
    else if (arrivals.areToGo(now)) go()
    else now += 0.01
  }
  return { perWrite: now / written, sizes }
}

test('a lone caller never waits for anybody', () => {
  const { perWrite, sizes } = simulate({ callers: 1, each: 0.05, sync: 0.2 })
  expect(new Set(sizes)).toEqual(new Set([1]))
  expect(perWrite).toBeCloseTo(0.05 + 0.22)
})

test.each([
  ['on a fast disk it works for one half while the server works for the other', 0.2, 32],
  ['on a slow disk all share a commit', 5, 64],
])('%s', (_claim, sync, size) => {
  const { sizes } = simulate({ callers: 64, each: 0.05, sync })
  expect(new Set(sizes.slice(10))).toEqual(new Set([size]))
})

test('whoever was answered long ago is not waited for', () => {
  const arrivals = new Arrivals(512)
  for (let count = 0; count < 64; count += 1) arrivals.came(1)
  arrivals.went(64, 1)
  arrivals.ended({ count: 64, now: 3, took: { commit: 2, sync: 1 } })
  arrivals.came(4)
  expect(arrivals.areToGo(4)).toBe(false)
  arrivals.went(1, 5)
  arrivals.ended({ count: 1, now: 6, took: { commit: 1, sync: 1 } })
  arrivals.came(1_000)
  expect(arrivals.areEnough()).toBe(false) // the turn that brought it may bring more
  expect(arrivals.areToGo(1_000)).toBe(true)
})

const worlds = [2, 3, 7, 16, 64, 200, 500].flatMap((callers) =>
  [0.1, 0.5, 1, 2, 5, 20].flatMap((sync) => [0.02, 0.05, 0.2].map((each) => ({ callers, sync, each }))),
)

test.each(worlds)('%j: as fast as the better of one commit for all, and of two by turns', ({ callers, sync, each }) => {
  const commit = commitTime(sync)
  const together = each + commit(callers) / callers
  const byTurns = Math.max(each, commit(Math.ceil(callers / 2)) / (callers / 2))
  const { perWrite } = simulate({ callers, each, sync })
  expect(perWrite).toBeLessThan(1.15 * Math.min(together, byTurns))
})
