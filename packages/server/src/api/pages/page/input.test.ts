import { execFileSync } from 'node:child_process'
import { assert, jsonValue, property } from 'fast-check'
import { expect, test } from 'vitest'
import { jsonOf, pythonOf, readField, shellOf } from './input.js'

const field = {
  name: 'a',
  kind: 'text',
  description: '',
  isRequired: false,
  isInteger: false,
  choices: [],
  preset: undefined,
  min: undefined,
  max: undefined,
} as const

test.each([
  [{ kind: 'text' }, 'word', { value: 'word' }],
  [{ kind: 'text' }, '', undefined],
  [{ kind: 'text', isRequired: true }, '', { complaint: 'must be filled in' }],
  [{ kind: 'long' }, 'a\nb', { value: 'a\nb' }],
  [{ kind: 'number' }, '1.5', { value: 1.5 }],
  [{ kind: 'number' }, 'one', { complaint: 'must be a number' }],
  [{ kind: 'number', isInteger: true }, '1.5', { complaint: 'must be a whole number' }],
  [{ kind: 'boolean' }, 'false', { value: false }],
  [{ kind: 'choice', choices: ['oil', 7] }, '1', { value: 7 }],
  [{ kind: 'choice', choices: ['oil', 7] }, '', undefined],
  [{ kind: 'json' }, '{"a": [1]}', { value: { a: [1] } }],
  [{ kind: 'json' }, '{a}', { complaint: 'must be JSON' }],
] as const)('a control of %j that holds %j', (kind, typed, read) => {
  expect(readField({ ...field, ...kind }, typed)).toEqual(read)
})

test('what is copied into a terminal or a program is the input and nothing else', () => {
  assert(
    property(jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(JSON.parse(jsonOf(value))).toEqual(JSON.parse(JSON.stringify(value))) // which has no negative zero
      expect(shellOf(value).replaceAll(String.raw`'\''`, '')).not.toContain("'")
      expect(jsonOf(value)).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u)
    }),
  )
  const quotes = { say: `it's "so" $(reboot) \`reboot\`; \u2028 \u202e` }
  expect(JSON.parse(execFileSync('sh', ['-c', `printf %s '${shellOf(quotes)}'`], { encoding: 'utf8' }))).toEqual(quotes)
})

test('Python reads what was written for it', () => {
  const value = { a: [true, false, null, 1.5, 'it\'s "so"\n\\'], 'b c': {} }
  const program = `import json; print(json.dumps(${pythonOf(value)}))`
  expect(JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8' }))).toEqual(value)
})
