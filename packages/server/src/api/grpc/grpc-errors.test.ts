import { Code } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { CarrickError, kinds } from '../../domain/errors.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import { silent } from '../../kit/logger.ts'
import { codes, grpcError, shortened } from './grpc-errors.ts'

const onWire = (text: string) => encodeURIComponent(text).length

test('no failure is told as UNAVAILABLE, which clients repeat by themselves', () => {
  for (const code of Object.keys(kinds) as ErrorCode[]) {
    expect(grpcError(new CarrickError(code, 'x'), { log: silent, method: 'M' }).code).not.toBe(Code.Unavailable)
  }
  expect(Object.values(codes)).not.toContain(Code.Unavailable)
})

test('an unforeseen failure is logged with its cause, and told without it', () => {
  const logged: object[] = []
  const cause = new Error('secret inside')
  const told = grpcError(cause, { log: { ...silent, error: (fields) => void logged.push(fields) }, method: 'SetAlias' })
  expect(told).toMatchObject({ code: Code.Internal, cause })
  expect(told.rawMessage).toContain('SetAlias failed')
  expect(told.rawMessage).not.toContain('secret inside')
  expect(logged).toEqual([{ err: cause, method: 'SetAlias' }])
})

test('a message that fits is left alone', () => {
  expect(shortened('Runner "x" not found')).toBe('Runner "x" not found')
})

test('a long traceback keeps its first line and its end, and fits into a trailer', () => {
  const message = `The deployment failed\n${'  File "app.py", line 1, in <module>\n'.repeat(2_000)}ValueError: boom`
  const short = shortened(message)
  expect(short).toMatch(/^The deployment failed\n/)
  expect(short).toMatch(/ValueError: boom$/)
  expect(onWire(short)).toBeLessThanOrEqual(8_000)
})

test('text outside ASCII, one long line and broken characters fit too', () => {
  for (const message of ['ü'.repeat(9_000), '💥'.repeat(9_000), `x${'\ud800'.repeat(9_000)}`, '%'.repeat(20_000)]) {
    const short = shortened(message)
    expect(onWire(short)).toBeLessThanOrEqual(8_000)
    expect(onWire(short)).toBeGreaterThan(7_000)
  }
})
