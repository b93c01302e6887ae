import { expect, test } from 'vitest'
import { whileKeyed } from './while-keyed.ts'

async function* counted(upTo: number, left: { at?: number } = {}): AsyncGenerator<number, string> {
  let at = 0
  try {
    for (; at < upTo; at += 1) yield at
    return 'done'
  } finally {
    left.at = at
  }
}

async function all<Step, Result>(steps: AsyncGenerator<Step, Result>): Promise<readonly [Step[], Result]> {
  const seen: Step[] = []
  for (;;) {
    const step = await steps.next()
    if (step.done === true) return [seen, step.value]
    seen.push(step.value)
  }
}

const revoked = { code: 'unauthenticated', message: expect.stringContaining('was revoked') }

test.each([undefined, new AbortController().signal])(
  'a stream is passed on as it is while its key counts',
  async (ends) => {
    expect(await all(whileKeyed(ends, counted(3)))).toEqual([[0, 1, 2], 'done'])
  },
)

test('one that waits ends with its key', async () => {
  const key = new AbortController()
  async function* silent(): AsyncGenerator<never, never> {
    yield await new Promise<never>(() => {})
    throw new Error('never')
  }
  const next = whileKeyed(key.signal, silent()).next()
  key.abort()
  await expect(next).rejects.toMatchObject(revoked)
})

test('of one that has more to tell nothing more is told', async () => {
  const key = new AbortController()
  const left: { at?: number } = {}
  const stream = whileKeyed(key.signal, counted(10, left))
  await stream.next()
  key.abort()
  await expect(stream.next()).rejects.toMatchObject(revoked)
  await expect.poll(() => left.at).toBe(0)
})

test('a reader who leaves ends what it read from', async () => {
  const left: { at?: number } = {}
  const stream = whileKeyed(new AbortController().signal, counted(10, left))
  await stream.next()
  await stream.return('left')
  expect(left.at).toBe(0)
})

test('what fails by itself fails as it did', async () => {
  async function* failing(): AsyncGenerator<number, string> {
    yield 1
    throw new Error('by itself')
  }
  await expect(all(whileKeyed(new AbortController().signal, failing()))).rejects.toThrow('by itself')
})
