import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { drain, whenDrained } from './output.ts'
import { Pace } from './pace.ts'

const mebibyte = 1024 * 1024

/** A pipe that is read at a pace of its own time. */
function reading() {
  const time = { now: 0 }
  const pipe = new PassThrough()
  const lines: string[] = []
  const pace = new Pace(() => time.now)
  return { time, pipe, lines, pace, reader: drain(pipe, ({ text }) => void lines.push(text), pace) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a runner that says little is read at once', async () => {
  const { pipe, lines, pace } = reading()
  for (let line = 0; line < 1_000; line += 1) pipe.write(`${line}\n`)
  await expect.poll(() => lines.length).toBe(1_000)
  expect([lines.length, pace.restMs, pipe.isPaused()]).toEqual([1_000, 0, false])
})

test.each([
  ['long', `${'x'.repeat(1_000)}\n`],
  ['empty', '\n'],
])('one that floods with %s lines finds its pipe full', async (_, line) => {
  const { pipe, lines, pace } = reading()
  const much = line.repeat(Math.ceil((8 * mebibyte) / line.length))
  for (let at = 0; at < much.length; at += 65_536) pipe.write(much.slice(at, at + 65_536))
  await expect.poll(() => pace.restMs).toBeGreaterThan(0)
  expect(pipe.isPaused()).toBe(true)
  expect(lines.length).toBeLessThan(10_000)
})

test('one turn takes little, so that others have theirs', async () => {
  const { pipe, lines } = reading()
  pipe.write('\n'.repeat(5_000))
  await turn()
  expect(lines.length).toBeLessThan(5_000)
  await expect.poll(() => lines.length).toBe(5_000)
})

test('it is read on as its time comes', () => {
  const time = { now: 0 }
  const pace = new Pace(() => time.now)
  pace.spend(6 * mebibyte)
  expect(pace.restMs).toBe(1_000)
  time.now = 999
  expect(pace.restMs).toBeGreaterThan(0)
  time.now = 1_001
  expect(pace.restMs).toBe(0)
})

test('the last words of one that has ended are all read, flood or not', async () => {
  const { pipe, lines, reader } = reading()
  const count = 20_000
  pipe.write(`${'x'.repeat(500)}\n`.repeat(count))
  await turn()
  expect(lines.length).toBeLessThan(count)
  pipe.end()
  await whenDrained(pipe, reader, 10_000)
  expect(lines.length).toBe(count)
})
