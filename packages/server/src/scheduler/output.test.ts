import { expect, test } from 'vitest'
import { pend } from '../domain/runner.ts'
import { logLineOf } from './output.ts'

const at = { appId: 'app', accountId: 'account', revisionId: 'revision', machineType: 'XS', createdAt: 0 }
const runner = pend({ ...at, id: 'runner' }, 0)
const levelOf = (text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
  logLineOf({ runnerId: 'runner', stream, text }, runner, 0).level

test.each([
  ['[error] no disk', 'error'],
  ['WARNING: low disk', 'warning'],
  ['2026-11-25 12:00:00 [INFO] ready', 'info'],
  ['{"level": "debug", "message": "x"}', 'debug'],
  ['{"levelname": "WARN"}', 'warning'],
  ['{"severity": "Error"}', 'error'],
  ['{"traceback": "Traceback (most recent call last): …"}', 'error'],
  ['{"level": 30}', 'stdout'],
  ['{"level": "error"', 'stdout'],
  ['all is well', 'stdout'],
])('the line %s has the level %s', (text, level) => {
  expect(levelOf(text)).toBe(level)
})

test('a line that names no level has that of its stream', () => {
  expect(levelOf('all is well', 'stderr')).toBe('stderr')
})
