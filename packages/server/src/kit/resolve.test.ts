import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createResolve } from './resolve.ts'

const { signal } = new AbortController()
const nobody = () => Promise.reject(new Error('ENOTFOUND'))

test('the name servers come first, and the machine knows what they do not', async () => {
  const resolve = createResolve({
    servers: async (host) => (host === 'a.example' ? ['93.184.216.34'] : nobody()),
    machine: async (host) => (host === 'b.example' ? ['10.0.0.1'] : nobody()),
  })
  expect(await resolve('a.example', signal)).toEqual(['93.184.216.34'])
  expect(await resolve('b.example', signal)).toEqual(['10.0.0.1'])
  await expect(resolve('c.example', signal)).rejects.toThrow('ENOTFOUND')
})

test("a name without a dot is the machine's", async () => {
  const resolve = createResolve({ servers: async () => ['93.184.216.34'], machine: async () => ['10.0.0.1'] })
  expect(await resolve('gpubox', signal)).toEqual(['10.0.0.1'])
})

test('the machine is asked two things at a time, and servers that are silent hold up nobody', async () => {
  const answers: (() => void)[] = []
  const resolve = createResolve({
    servers: (host) => (host.startsWith('silent') ? new Promise(() => {}) : Promise.resolve(['93.184.216.34'])),
    machine: (host) => new Promise((answer) => answers.push(() => answer([host]))),
  })
  for (let i = 0; i < 100; i += 1) void resolve(`silent-${i}.example`, signal)
  expect(await resolve('quick.example', signal)).toEqual(['93.184.216.34'])
  const found = ['a', 'b', 'c'].map((host) => resolve(host, signal))
  await turn()
  expect(answers).toHaveLength(2)
  answers[0]?.()
  expect(await found[0]).toEqual(['a'])
  await turn()
  expect(answers).toHaveLength(3)
  answers[1]?.()
  answers[2]?.()
  expect(await Promise.all(found)).toEqual([['a'], ['b'], ['c']])
})

test('this machine knows itself', async () => {
  expect(await createResolve()('localhost', signal)).toContain('127.0.0.1')
})
