import { expect, test } from 'vitest'
import { longestDocument, readOpenapi } from './served-openapi.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const nested = (levels: number) => `{"paths":{},"x":${'['.repeat(levels)}${']'.repeat(levels)}}`

test.each([
  ['{"openapi":"3.1.0","paths":{"/generate":{"post":{}}}}'],
  ['  {"paths": {}}\n'],
  ['{"paths":{"__proto__":{"post":{}}},"constructor":1}'],
  [nested(90)],
])('%.40s is kept as it came', (document) => expect(readOpenapi(bytes(document))).toEqual({ document }))

test.each([
  ['<html>Not found</html>', 'is no JSON'],
  ['', 'is no JSON'],
  ['{"paths":{}', 'is no JSON'],
  ['[]', 'describes no paths'],
  ['null', 'describes no paths'],
  ['"paths"', 'describes no paths'],
  ['{"paths":[]}', 'describes no paths'],
  ['{"detail":"Not Found"}', 'describes no paths'],
  [nested(200), 'nests more than 100 levels deep'],
  [nested(200_000), 'nests more than 100 levels deep'],
  [`{"paths":{},"x":"${'a'.repeat(longestDocument)}"}`, `is longer than ${longestDocument} bytes`],
])('%.40s is refused', (document, refused) => expect(readOpenapi(bytes(document))).toEqual({ refused }))

test('what is not UTF-8 is refused', () => {
  expect(readOpenapi(Uint8Array.from([...bytes('{"paths":{"/'), 0xff, ...bytes('":{}}}')]))).toEqual({
    refused: 'is no JSON',
  })
})
