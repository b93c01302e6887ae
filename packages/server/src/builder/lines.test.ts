import { expect, test } from 'vitest'
import { lineCutter } from './lines.ts'

function linesOf(...chunks: string[]): string[] {
  const lines: string[] = []
  const cutter = lineCutter((line) => lines.push(line))
  for (const chunk of chunks) cutter.take(chunk)
  cutter.end()
  return lines
}

test('a line may come in parts, and the last needs no end', () => {
  expect(linesOf('one\ntw', 'o\r\nth', 'ree')).toEqual(['one', 'two', 'three'])
})

test('every step of a progress bar is a line, colours and empty lines are none', () => {
  expect(linesOf('\u001B[32m10%\u001B[0m\r20%\r\r\n\n  indented  \n')).toEqual(['10%', '20%', '  indented'])
})

test('a line without end does not grow for ever', () => {
  const lines = linesOf(...Array.from({ length: 100 }, () => 'x'.repeat(1_000)))
  expect(lines.join('')).toHaveLength(100_000)
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(16_384)
})
