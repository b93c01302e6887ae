import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Census } from './census.ts'

test('those who ask while a count is taken share the next, and are told of every process and its runner', async () => {
  const env = { PATH: process.env['PATH'], CARRICK_RUNNER_ID: 'r', CARRICK_INSTALLATION: 'i' }
  const child = spawn('sleep', ['60'], { env })
  try {
    await once(child, 'spawn')
    const census = new Census()
    const [first, second, third] = [census.take(), census.take(), census.take()]
    expect(third).toBe(second)
    expect(second).not.toBe(first)
    for (const count of [await first, await second])
      expect(count.find(({ pid }) => pid === child.pid)).toMatchObject({ runner: 'r', installation: 'i' })
  } finally {
    child.kill('SIGKILL')
  }
})
