import { describe, expect, test } from 'vitest'
import { keysNotRead, predictorOf, readCogConfig } from './cog-config.ts'

test.each([
  ['predict: "predict.py:Predictor"', { file: 'predict.py', className: 'Predictor' }],
  ['run: "src/run.py:Runner"', { file: 'src/run.py', className: 'Runner' }],
])('%s says where the predictor is', (text, place) => {
  expect(predictorOf(readCogConfig(text))).toEqual(place)
})

test('numbers that were meant as texts are read as texts', () => {
  const { build } = readCogConfig('build:\n  python_version: 3.11\n  cuda: 12.1\npredict: "p.py:P"')
  expect(build).toMatchObject({ python_version: '3.11', cuda: '12.1' })
})

describe('what cannot be read is refused with the place:', () => {
  test.each([
    ['build: [', /^cog\.yaml is not YAML: .*line 1/],
    ['', /^cog\.yaml: the file: /],
    ['build:\n  gpu: maybe', /^cog\.yaml: build\.gpu: /],
    ['build:\n  run:\n    - command: 1', /^cog\.yaml: build\.run\.0/],
  ])('%j', (text, sentence) => expect(() => readCogConfig(text)).toThrow(sentence))

  test.each([
    ['build: {}', /names no predictor/],
    ['predict: "../predict.py:Predictor"', /must be like predict\.py:Predictor/],
    ['predict: "predict.py"', /must be like predict\.py:Predictor/],
  ])('%j', (text, sentence) => expect(() => predictorOf(readCogConfig(text))).toThrow(sentence))
})

test('every key that nothing is made of is named, with what to know about it', () => {
  const text =
    'build:\n  fast: true\n  new_thing: 1\nconcurrency:\n  min: 2\ntrain: "t.py:train"\nother: 1\npredict: "p.py:P"'
  const named = keysNotRead(readCogConfig(text))
  expect(named.map(({ key }) => key).toSorted()).toEqual([
    'build.fast',
    'build.new_thing',
    'concurrency.min',
    'other',
    'train',
  ])
  expect(named.every(({ why }) => why !== '')).toBe(true)
})
