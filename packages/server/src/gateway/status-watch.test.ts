import { expect, onTestFinished, test, vi } from 'vitest'
import { CarrickError } from '../domain/errors.ts'
import { RequestChanges } from '../home/request-changes.ts'
import { silent } from '../kit/logger.ts'
import type { LogLine, LogStore } from '../logs/log-store.ts'
import { Tails } from '../logs/tails.ts'
import { StatusWatch } from './status-watch.ts'

function watching({ logs }: { logs?: Pick<LogStore, 'follow'> } = {}) {
  const changes = new RequestChanges()
  const tails = new Tails({ readers: 1, weight: 10_000 })
  const watch = new StatusWatch({ changes, logs: logs ?? { follow: (filter) => tails.open(filter) }, log: silent })
  const say = (requestId: string) =>
    tails.push({ at: 1, source: 'user', level: 'info', message: 'said', accountId: 'a', requestId } satisfies LogLine)
  const open = (requestId: string, { wantsLogs = false, moved = (): boolean => false } = {}) => {
    const seen = { wakes: 0, beats: 0 }
    const watcher = watch.open({ requestId, wantsLogs, moved, beat: () => void (seen.beats += 1) })
    onTestFinished(() => watcher[Symbol.dispose]())
    void (async () => {
      for (;;) {
        await watcher.next()
        seen.wakes += 1
      }
    })()
    return { seen, watcher }
  }
  return { changes, watch, say, open }
}

const patient = { timeout: 20_000 }

test('nobody looks while nothing happens, and their readers hear that they are there', async () => {
  const { open } = watching()
  const all = Array.from({ length: 50 }, (_, number) => open(`request-${number}`))
  await vi.waitFor(() => expect(all.every(({ seen }) => seen.beats === 1)).toBe(true), patient)
  expect(all.map(({ seen }) => seen.wakes)).toEqual(all.map(() => 0))
})

test('a change wakes those of its request at once, also when it comes before they wait', async () => {
  const { changes, watch, open } = watching()
  const early = watch.open({ requestId: 'a', wantsLogs: false, moved: () => false, beat: () => {} })
  onTestFinished(() => early[Symbol.dispose]())
  const [a, b] = [open('a'), open('b')]
  changes.tell('a')
  await early.next()
  await vi.waitFor(() => expect([a.seen.wakes, b.seen.wakes]).toEqual([1, 0]))
})

test('what memory knows of is noticed within a second or so', async () => {
  const { open } = watching()
  let moved = false
  const { seen } = open('a', { moved: () => moved })
  moved = true
  await vi.waitFor(() => expect(seen.wakes).toBeGreaterThan(0), patient)
})

test('a line wakes those who want lines', async () => {
  const { say, open } = watching()
  const [wants, wantsNot, other] = [open('a', { wantsLogs: true }), open('a'), open('b', { wantsLogs: true })]
  say('a')
  await vi.waitFor(() => expect(wants.seen.wakes).toBe(1), patient)
  expect([wantsNot.seen.wakes, other.seen.wakes]).toEqual([0, 0])
})

test('where lines cannot be followed, those who want some look by themselves', async () => {
  const follow = () => {
    throw new CarrickError('too_busy', 'too many readers')
  }
  const { open } = watching({ logs: { follow } })
  const { seen } = open('a', { wantsLogs: true })
  await vi.waitFor(() => expect(seen.wakes).toBeGreaterThan(1), patient)
})

test('everybody looks when the server is about to stop', async () => {
  const { watch, open } = watching()
  const { seen } = open('a')
  watch.drain()
  await vi.waitFor(() => expect(seen.wakes).toBe(1))
  expect(watch.isDraining).toBe(true)
})
