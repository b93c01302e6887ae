import { expect, test } from 'vitest'
import { gpusAsked } from './gpus-asked.ts'

test.each([
  ['auto', { kind: 'discovered' }],
  ['', { kind: 'discovered' }],
  ['none', { kind: 'named', names: [] }],
  ['0, 2', { kind: 'discovered', indices: new Set([0, 2]) }],
  ['H100,H100,RTX 4090', { kind: 'named', names: ['H100', 'H100', 'RTX 4090'] }],
])('CARRICK_GPUS "%s"', (text, asked) => {
  expect(
    gpusAsked(
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ),
  ).toEqual(asked)
})

test.each([
  ['auto,1', 'auto stands alone'],
  ['H100,none', 'none stands alone'],
  ['0,H100', 'not both'],
])('CARRICK_GPUS "%s" is refused: %s', (text, sentence) => {
  expect(() =>
    gpusAsked(
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ),
  ).toThrow(sentence)
})
