import { array, assert, constantFrom, nat, property } from 'fast-check'
import { expect, test } from 'vitest'
import { lineReader, longestLine, type Line } from './lines.ts'

function linesOf(...chunks: (string | Uint8Array)[]): Line[] {
  const found: Line[] = []
  const reader = lineReader((line) => found.push(line))
  for (const chunk of chunks) reader.read(Buffer.from(chunk))
  reader.end()
  return found
}

const textsOf = (...chunks: (string | Uint8Array)[]) => linesOf(...chunks).map(({ text }) => text)

test('lines do not depend on where the pipe cut them', () => {
  const alphabet = constantFrom('a', 'ß', '😀', '\n', '\r', '\r\n', ' ', '\x1eid\x1f')
  assert(
    property(array(alphabet), nat(), (parts, cut) => {
      const bytes = Buffer.from(parts.join(''))
      const at = bytes.length === 0 ? 0 : cut % bytes.length
      expect(linesOf(bytes.subarray(0, at), bytes.subarray(at))).toEqual(linesOf(bytes))
    }),
  )
})

test('blank lines are lines, and a line without an end is one too', () => {
  expect(textsOf('a\n\nb\r\nc')).toEqual(['a', '', 'b', 'c'])
})

test('each picture of a progress bar is a line', () => {
  expect(textsOf('\r 10%', '\r 20%', '\r100%\n', 'done\n')).toEqual([' 10%', ' 20%', '100%', 'done'])
})

test('a frame tells the request, an empty one that there is none', () => {
  expect(linesOf('\x1er-1\x1fhello\n\x1e\x1f\x1enot a frame\x1f\nplain\n')).toEqual([
    { text: 'hello', requestId: 'r-1' },
    { text: '\x1enot a frame\x1f' },
    { text: 'plain' },
  ])
})

test('a line that never ends is cut, and what comes after it is a line again', () => {
  const texts = textsOf('x'.repeat(longestLine * 2.5), '\nnext\n')
  expect(texts.every((text) => text.length <= longestLine)).toBe(true)
  expect(texts.join('')).toBe(`${'x'.repeat(longestLine * 2.5)}next`)
  expect(texts.at(-1)).toBe('next')
})
