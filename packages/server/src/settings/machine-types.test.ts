import { describe, expect, test } from 'vitest'
import { catalogueOf } from './machine-types.ts'

const gib = 1024 ** 3
const said = (types: unknown) => catalogueOf(JSON.stringify(types))

test('what the operator says nothing about is as it is built in', () => {
  expect(catalogueOf('').get('GPU-H100')).toEqual({
    name: 'GPU-H100',
    cpus: 12,
    memoryBytes: 112 * gib,
    gpu: 'H100',
    gpus: 1,
  })
  expect([...catalogueOf('').keys()].slice(0, 6)).toEqual(['XS', 'S', 'M', 'L', 'XL', 'GPU-A100'])
})

test.each([
  [
    'a type of their own',
    { big: { cpus: 32, memory: '120 GB' } },
    'big',
    { cpus: 32, memoryBytes: 120 * gib, gpus: 0 },
  ],
  [
    'memory in bytes',
    { tiny: { cpus: 0.1, memory: 1_000_000 } },
    'tiny',
    { cpus: 0.1, memoryBytes: 1_000_000, gpus: 0 },
  ],
  ['memory of half a GB', { tiny: { cpus: 1, memory: '0.5 GiB' } }, 'tiny', { cpus: 1, memoryBytes: gib / 2, gpus: 0 }],
  ['memory in MB', { tiny: { cpus: 1, memory: '256MB' } }, 'tiny', { cpus: 1, memoryBytes: gib / 4, gpus: 0 }],
  [
    'what a GPU type means here',
    { 'GPU-H100': { gpu: 'RTX 4090', memory: '24 GB' } },
    'GPU-H100',
    { cpus: 12, memoryBytes: 24 * gib, gpu: 'RTX 4090', gpus: 1 },
  ],
  [
    'a type with several GPUs and a price',
    { quad: { cpus: 48, memory: '400 GB', gpu: 'H100', gpus: 4, price_per_second: 0.005 } },
    'quad',
    { cpus: 48, memoryBytes: 400 * gib, gpu: 'H100', gpus: 4, pricePerSecond: 0.005 },
  ],
  [
    'a price alone',
    { XS: { price_per_second: 0 } },
    'XS',
    { cpus: 0.5, memoryBytes: gib / 2, gpus: 0, pricePerSecond: 0 },
  ],
  ['no GPU in what had one', { GPU: { gpu: '' } }, 'GPU', { cpus: 4, memoryBytes: 12 * gib, gpus: 0 }],
])('the operator says %s', (_what, types, name, type) => {
  expect(said(types).get(name)).toEqual({ name, ...type })
})

describe('refused:', () => {
  test.each([
    ['no cores', { big: { memory: '1 GB' } }, 'machine type big is not built in: say its cpus and its memory'],
    ['no memory', { big: { cpus: 1 } }, 'machine type big is not built in'],
    ['nothing for cores', { S: { cpus: 0 } }, 'machine type S: cpus must be more than 0'],
    ['cores as a text', { S: { cpus: 'two' } }, 'machine type S: cpus must be a number of cores'],
    [
      'memory in parsecs',
      { S: { memory: '12 parsecs' } },
      'machine type S: memory must be bytes, or a text such as "15 GB"',
    ],
    ['less than nothing', { S: { memory: -1 } }, 'machine type S: memory must be bytes'],
    ['nine GPUs', { GPU: { gpus: 9 } }, 'machine type GPU: gpus must be from 1 to 8'],
    ['a price below 0', { S: { price_per_second: -1 } }, 'machine type S: price_per_second must be 0 or more'],
    ['another key', { S: { cpu: 1 } }, 'machine type S has cpu: it may have cpus, memory, gpu, gpus, price_per_second'],
    ['a model that is code', { S: { gpu: '$(x)' } }, 'machine type S: gpu must be the model'],
    ['no table', { S: 1 }, 'machine type S must be a table'],
    ['a name with a space', { 'A B': { cpus: 1, memory: 1 } }, 'machine type "A B": a name has letters'],
    ['no object', [1], 'machine types are given as a JSON object'],
  ])('%s', (_what, types, sentence) => {
    expect(() => said(types)).toThrow(sentence)
  })

  test('what is no JSON', () => {
    expect(() => catalogueOf('{')).toThrow('machine types are given as a JSON object')
  })

  test('all of it at once', () => {
    expect(() => said({ S: { cpus: 0, memory: 'x' }, big: {} })).toThrow(/S: cpus[^]*S: memory[^]*big is not built in/)
  })
})
