import { expect, test } from 'vitest'
import { ranOutOfMemory, type Ending } from './end-reason.ts'

const killed = { code: null, signal: 'SIGKILL' }
const failed = { code: 1, signal: null }
const ended: Ending = { exit: killed, isKilled: false, isAsked: false, isSaidToHaveRunOut: false }

test.each<[string, Partial<Ending>, boolean]>([
  ['killed by somebody else', {}, false],
  ['killed, and the kernel told before', { ranOutMsAgo: 3 }, true],
  ['failed for a worker that the kernel ended', { exit: failed, ranOutMsAgo: 800 }, true],
  ['failed for itself, long after a worker was ended', { exit: failed, ranOutMsAgo: 60_000 }, false],
  ['killed, and the engine says so though its event was not heard', { isSaidToHaveRunOut: true }, true],
  ['asked to end, and the engine remembers a command beside it', { isSaidToHaveRunOut: true, isAsked: true }, false],
  ['did what it was asked', { exit: { code: null, signal: 'SIGTERM' }, isAsked: true, ranOutMsAgo: 3 }, false],
  ['failed, and the engine remembers a command beside it', { exit: failed, isSaidToHaveRunOut: true }, false],
  ['ended by the platform', { isKilled: true, ranOutMsAgo: 3, isSaidToHaveRunOut: true }, false],
  ['done, whatever became of its workers', { exit: { code: 0, signal: null }, ranOutMsAgo: 3 }, false],
  ['out of memory while it did what it was asked', { isAsked: true, ranOutMsAgo: 3 }, true],
])('one that %s', (_, how, expected) => {
  expect(ranOutOfMemory({ ...ended, ...how })).toBe(expected)
})
