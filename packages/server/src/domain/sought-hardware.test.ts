import { describe, expect, test } from 'vitest'
import { CarrickError } from './errors.ts'
import { costliestFirst, costOf, type Hardware } from './hardware.ts'
import { builtInTypes } from './machine-types.ts'
import type { Placement } from './placement.ts'
import { requireHardware, type Sought } from './sought-hardware.ts'

const gib = 1024 ** 3
const box = {
  id: 'box',
  region: 'eu-west',
  cpus: 2,
  memoryBytes: 64 * gib,
  gpus: [0, 1].map((index) => ({ index, name: 'Tesla T4' })),
}
const here: Hardware = {
  machines: [box],
  types: new Map(builtInTypes.map((type) => [type.name, type])),
  rules: {
    cpuOvercommit: 5,
    memoryOvercommit: 4,
    runnersPerMachine: 10,
    runnersPerAccount: 10,
    gpusPerAccount: 10,
    unplaceable: 'refuse',
  },
}
const patient: Hardware = { ...here, rules: { ...here.rules, unplaceable: 'wait' } }
const sought = (said: Partial<Sought>): Sought => ({ machine_types: ['S'], valid_regions: [], ...said })

test.each([
  ['what fits', { machine_types: ['XL'] }],
  ['more cores than there are, within the overcommit', { machine_types: ['XL'], num_gpus: 8 }],
  ['a list of which one fits', { machine_types: ['GPU-H100', 'GPU-B200', 'M'] }],
  ['GPUs of the model', { machine_types: ['GPU-T4'], num_gpus: 2 }],
  ['any GPU', { machine_types: ['GPU'] }],
  ['a region that is ours', { valid_regions: ['us-east', 'eu-west'] }],
])('%s is accepted', (_what, said) => {
  expect(() => requireHardware(sought(said), here)).not.toThrow()
})

const known = 'XS, S, M, L, XL, GPU-A100'
describe.each([
  [
    'an unknown type',
    { machine_types: ['S', 'GPU-H1000'] },
    `There is no machine type "GPU-H1000": there are ${known}`,
  ],
  ['an empty name', { machine_types: [''] }, 'There is no machine type ""'],
  [
    'an unknown region',
    { valid_regions: ['mars'] },
    'There is no region "mars": there are us-west, us-central, us-east, eu-north, eu-west',
  ],
])('%s', (_what, said, sentence) => {
  test.each([here, patient])('is refused, also where apps may wait', (hardware) => {
    expect(() => requireHardware(sought(said), hardware)).toThrow(CarrickError)
    expect(() => requireHardware(sought(said), hardware)).toThrow(sentence)
  })
})

describe.each([
  [
    'a GPU that is not here',
    { machine_types: ['GPU-H100', 'GPU-B200'] },
    'GPU-H100 needs 1 × H100 and there are 0; GPU-B200 needs 1 × B200 and there are 0. What fits here: XS, S, M, L, XL, GPU-T4, GPU.',
  ],
  [
    'more GPUs than there are',
    { machine_types: ['GPU-T4'], num_gpus: 3 },
    'GPU-T4 needs 3 × T4 and there are 2. What fits here: XS, S, M, L, XL.',
  ],
  ['a region that is not here', { valid_regions: ['us-east'] }, 'No machine here is in us-east: there is eu-west'],
])('%s', (_what, said, sentence) => {
  test('is refused with what can be had', () => {
    expect(() => requireHardware(sought(said), here)).toThrow(sentence)
  })
  test('may wait where the operator allows it', () => {
    expect(() => requireHardware(sought(said), patient)).not.toThrow()
  })
})

test.each([
  ['memory', { memoryBytes: 20 * gib }, 'XL needs 30 GB of memory and there are 20 GB'],
  ['cores', { cpus: 1 }, 'XL needs 8 cores and 5 are given away at most'],
])('too little of %s is told with numbers', (_what, machine, sentence) => {
  const small = { ...here, machines: [{ ...box, ...machine }] }
  expect(() => requireHardware(sought({ machine_types: ['XL'] }), small)).toThrow(sentence)
})

test('a machine without a region is in every one', () => {
  const anywhere = { ...here, machines: [{ ...box, region: 'local' }] }
  expect(() => requireHardware(sought({ valid_regions: ['us-east'] }), anywhere)).not.toThrow()
})

test('the costliest place is that with the highest price, else with the most GPUs, memory and cores', () => {
  const place = (machineType: string, gpus: readonly number[], memoryBytes = 1, cpus = 1): Placement => ({
    machineId: 'box',
    machineType,
    gpus,
    memoryBytes,
    cpus,
  })
  const types = new Map([
    ['cheap', { name: 'cheap', cpus: 1, memoryBytes: 1, gpu: 'T4', gpus: 2, pricePerSecond: 1 }],
    ['dear', { name: 'dear', cpus: 1, memoryBytes: 1, gpus: 0, pricePerSecond: 9 }],
  ])
  const places = [
    place('other', []),
    place('other', [], 2),
    place('cheap', [0, 1, 2]),
    place('dear', []),
    place('other', [7, 8, 9, 10]),
  ]
  const names = places
    .map((each) => ({ each, cost: costOf(each, { types }) }))
    .toSorted((one, other) => costliestFirst(one.cost, other.cost))
    .map(({ each }) => `${each.machineType} ${each.gpus.length} ${each.memoryBytes}`)
  expect(costOf(places[2]!, { types }).pricePerSecond).toBe(1.5)
  expect(names).toEqual(['dear 0 1', 'cheap 3 1', 'other 4 1', 'other 0 2', 'other 0 1'])
})
