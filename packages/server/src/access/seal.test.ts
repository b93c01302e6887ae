import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSeal } from './seal.ts'

const key = randomBytes(32)
const seal = createSeal(key)
const place = ['account', 'main', 'TOKEN']
const unreadable = 'changed, moved, or sealed under another key'

test.each(['', 'hf_1234', 'line one\nline two', '✓ ü 漢', 'x'.repeat(65_536)])(
  'a value comes back as it was',
  (value) => {
    expect(seal.open(seal.seal(value, place), place)).toBe(value)
  },
)

test('the same value never looks the same twice, and never shows', () => {
  const [one, two] = [seal.seal('the plain value', place), seal.seal('the plain value', place)]
  expect(Buffer.from(one).equals(two)).toBe(false)
  expect(Buffer.from(one).includes('plain')).toBe(false)
})

test('no bit can be changed', () => {
  const sealed = seal.seal('hf_1234', place)
  for (const at of sealed.keys()) {
    const changed = Uint8Array.from(sealed)
    changed[at] = changed[at]! ^ 1
    expect(() => seal.open(changed, place), `byte ${at}`).toThrow(unreadable)
  }
})

test.each([0, 1, 12, 28, 35])('%i bytes of it are not enough', (length) => {
  expect(() => seal.open(seal.seal('hf_1234', place).subarray(0, length), place)).toThrow(unreadable)
})

test.each([
  [['bob', 'main', 'TOKEN']],
  [['account', 'staging', 'TOKEN']],
  [['account', 'main', 'OTHER']],
  [['account', 'mainTOKEN']],
  [['account", "main', 'TOKEN']],
])('a row that was swapped into %j does not open', (other) => {
  expect(() => seal.open(seal.seal('hf_1234', place), other)).toThrow(unreadable)
})

test('another key does not open it', () => {
  expect(() => createSeal(randomBytes(32)).open(seal.seal('hf_1234', place), place)).toThrow(unreadable)
})
