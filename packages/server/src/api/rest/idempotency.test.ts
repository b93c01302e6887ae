import { expect, test } from 'vitest'
import { manualClock } from '../../testing/clock.ts'
import { IdempotentAnswers } from './idempotency.ts'

function counting() {
  const clock = manualClock(1_000)
  const answers = new IdempotentAnswers(clock)
  let made = 0
  const ask = async (key: string, make = async () => new Response(String((made += 1)), { status: 201 })) => {
    const response = await answers.once(key, make)
    return [response.status, await response.text()]
  }
  return { clock, ask, made: () => made }
}

test('the same key gets the same answer for ten minutes, and then another one', async () => {
  const { clock, ask } = counting()
  expect([await ask('a'), await ask('a'), await ask('b')]).toEqual([
    [201, '1'],
    [201, '1'],
    [201, '2'],
  ])
  clock.advance(10 * 60_000)
  expect(await ask('a')).toEqual([201, '3'])
})

test('those who ask while it is worked out share it', async () => {
  const { ask, made } = counting()
  await Promise.all([ask('a'), ask('a'), ask('a')])
  expect(made()).toBe(1)
})

test('a failure is not kept, nor is an answer that is long', async () => {
  const { ask } = counting()
  await expect(ask('a', async () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
  expect(await ask('a')).toEqual([201, '1'])
  expect((await ask('long', async () => new Response('x'.repeat(70_000))))[0]).toBe(200)
  expect(await ask('long')).toEqual([201, '2'])
})

test('the oldest are let go of when there are too many', async () => {
  const { ask } = counting()
  for (let number = 0; number < 1_001; number += 1) await ask(`key-${number}`)
  expect(await ask('key-1000')).toEqual([201, '1001'])
  expect(await ask('key-0')).toEqual([201, '1002'])
})
