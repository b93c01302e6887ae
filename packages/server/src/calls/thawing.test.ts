import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { Call, Caller, CallLimits } from './call.ts'
import { callerTo } from './thawing.ts'

const address = { host: '127.0.0.1', port: 1 }
const limits: CallLimits = { requestTimeoutMs: 1, connectTimeoutMs: 1, signal: new AbortController().signal }
const call: Call = { method: 'POST', path: '/', headers: [], body: null }

/** Notes what happens, in its order. */
function caller(done: string[]): Pick<Caller, 'exchange' | 'relay'> {
  return {
    exchange: async () => (done.push('exchange'), { kind: 'aborted' }),
    relay: async () => (done.push('relay'), { kind: 'aborted' }),
  }
}

test('a runner that is not frozen is called by the caller itself', () => {
  const plain = caller([])
  expect(callerTo({}, plain)).toBe(plain)
  expect(callerTo({ thaw: undefined }, plain)).toBe(plain)
})

test('a frozen one goes on before anything is sent', async () => {
  const done: string[] = []
  const thaw = async () => void done.push('thaw')
  await callerTo({ thaw }, caller(done)).relay(address, call, limits, () => undefined)
  await callerTo({ thaw }, caller(done)).exchange(address, call, limits)
  expect(done).toEqual(['thaw', 'relay', 'thaw', 'exchange'])
})

test('one that stays frozen is a broken connection: nothing is sent, and the body is let go of', async () => {
  const done: string[] = []
  const thaw = () => Promise.reject(new Error('it stays frozen'))
  const body = Readable.from(['x'])
  const broken = { kind: 'connection_error', message: 'it stays frozen' }
  const calls = callerTo({ thaw }, caller(done))
  expect(await calls.relay(address, { ...call, body }, limits, () => undefined)).toEqual(broken)
  expect(await calls.exchange(address, call, limits)).toEqual(broken)
  expect([done, body.destroyed]).toEqual([[], true])
})
