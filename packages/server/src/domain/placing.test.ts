import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gpusOfModel } from './gpu-model.ts'
import type { Hardware } from './hardware.ts'
import { builtInTypes } from './machine-types.ts'
import type { Machine } from './machine.ts'
import type { Taken, Wanted } from './placement.ts'
import { isPlaced, placeAll as placeInto } from './placing.ts'
import { Room } from './room.ts'

const gib = 1024 ** 3
const types = new Map(builtInTypes.map((type) => [type.name, type]))
const rules = {
  cpuOvercommit: 1,
  memoryOvercommit: 1,
  runnersPerMachine: 1_000,
  runnersPerAccount: 1_000,
  gpusPerAccount: 1_000,
  unplaceable: 'wait' as const,
}
const h100 = (...indices: readonly number[]) => indices.map((index) => ({ index, name: 'NVIDIA H100 80GB HBM3' }))
const box: Machine = { id: 'box', region: 'eu-west', cpus: 96, memoryBytes: 1_000 * gib, gpus: h100(0, 1, 2, 3) }

function hardware(machine: Partial<Machine> = {}, said: Partial<Hardware['rules']> = {}): Hardware {
  return { machines: [{ ...box, ...machine }], types, rules: { ...rules, ...said } }
}

function placeAll(wanted: readonly Wanted[], taken: readonly Taken[], on: Hardware) {
  const room = new Room(on)
  for (const each of taken) room.take(each)
  return placeInto(wanted, room, on)
}

let count = 0
const want = (machineTypes: readonly string[], more: Partial<Wanted> = {}): Wanted => ({
  id: `runner-${(count += 1)}`,
  accountId: 'ann',
  machineTypes,
  regions: [],
  ...more,
})
const found = (wanted: readonly Wanted[], on: Hardware, taken: readonly Taken[] = []) => [
  ...placeAll(wanted, taken, on).values(),
]
/** What became of one after another, in a word. */
const words = (wanted: readonly Wanted[], on: Hardware, taken: readonly Taken[] = []) =>
  found(wanted, on, taken).map((one) => (isPlaced(one) ? [one.machineType, ...one.gpus].join(' ') : one.kind))

describe('a list of machine types', () => {
  test('is tried in its order, the next one only when the one before has no room', () => {
    const both = ['GPU-H100', 'M']
    expect(
      words(
        [1, 2, 3].map(() => want(both, { numGpus: 2 })),
        hardware(),
      ),
    ).toEqual(['GPU-H100 0 1', 'GPU-H100 2 3', 'M'])
  })

  test('is skipped over where nothing here could ever have a type', () => {
    expect(words([want(['GPU-B200', 'S'])], hardware())).toEqual(['S'])
    expect(words([want(['GPU-B200', 'no such type'])], hardware())).toEqual(['never'])
  })
})

describe('what fits', () => {
  test('is cores times the overcommit', () => {
    expect(words([want(['L']), want(['L'])], hardware({ cpus: 4 }))).toEqual(['L', 'no_room'])
    expect(words([want(['L']), want(['L'])], hardware({ cpus: 2 }, { cpuOvercommit: 4 }))).toEqual(['L', 'L'])
  })

  test('is memory, of which one runner never gets more than there is', () => {
    const small = hardware({ memoryBytes: 2 * gib }, { memoryOvercommit: 2 })
    expect(words([want(['M']), want(['M']), want(['XS'])], small)).toEqual(['M', 'M', 'no_room'])
    expect(words([want(['L'])], small)).toEqual(['never'])
  })

  test('says what it lacks', () => {
    const [, lacking] = found([want(['GPU-H100', 'L'], { numGpus: 3 }), want(['GPU-H100', 'L'], { numGpus: 2 })], {
      ...hardware({ cpus: 36 }),
    })
    expect(lacking).toEqual({
      kind: 'no_room',
      lacks: [
        { machineType: 'GPU-H100', of: 'gpus', needs: 2, free: 1 },
        { machineType: 'L', of: 'cpus', needs: 4, free: 0 },
      ],
    })
  })

  test('is ten tenths of a core', () => {
    const tenth = { name: 'tenth', cpus: 0.1, memoryBytes: 1, gpus: 0 }
    const on = { ...hardware({ cpus: 1 }), types: new Map([['tenth', tenth]]) }
    expect(
      words(
        Array.from({ length: 11 }, () => want(['tenth'])),
        on,
      ).filter((word) => word === 'tenth'),
    ).toHaveLength(10)
  })

  test('grows with num_gpus, and does not on a type without GPUs', () => {
    const [two, none] = found([want(['GPU-H100'], { numGpus: 2 }), want(['M'], { numGpus: 2 })], hardware())
    expect(two).toMatchObject({ cpus: 24, memoryBytes: 224 * gib, gpus: [0, 1] })
    expect(none).toMatchObject({ cpus: 2, memoryBytes: 2 * gib, gpus: [] })
  })

  test('is on a card of the model, and never on one that is taken', () => {
    const mixed = hardware({ gpus: [{ index: 0, name: 'Tesla T4' }, ...h100(3, 1)] })
    const taken = [
      { accountId: 'bob', placement: { machineId: 'box', machineType: 'GPU', cpus: 1, memoryBytes: 1, gpus: [1] } },
    ]
    expect(words([want(['GPU-H100']), want(['GPU-H100']), want(['GPU'])], mixed, taken)).toEqual([
      'GPU-H100 3',
      'no_room',
      'GPU 0',
    ])
  })
})

test('one that does not fit holds nobody back, and the first of those that want the same is first', () => {
  const [first, second] = [want(['GPU-H100'], { numGpus: 4 }), want(['GPU-H100'], { numGpus: 4 })]
  const taken = found([want(['GPU-H100'])], hardware())
    .filter(isPlaced)
    .map((placement) => ({ accountId: 'bob', placement }))
  expect(words([first, second, want(['S'])], hardware(), taken)).toEqual(['no_room', 'no_room', 'S'])
  expect(words([first, second], hardware())).toEqual(['GPU-H100 0 1 2 3', 'no_room'])
})

describe('caps', () => {
  test('of runners: per account, and per machine', () => {
    const two = [want(['XS']), want(['XS']), want(['XS'], { accountId: 'bob' })]
    expect(words(two, hardware({}, { runnersPerAccount: 1 }))).toEqual(['XS', 'account_runners', 'XS'])
    expect(found(two, hardware({}, { runnersPerMachine: 2 })).at(-1)).toEqual({
      kind: 'no_room',
      lacks: [{ machineType: 'XS', of: 'runners', needs: 1, free: 0 }],
    })
  })

  test('of GPUs: a type without any is the way out', () => {
    const capped = hardware({}, { gpusPerAccount: 2 })
    const wanted = [want(['GPU-H100'], { numGpus: 2 }), want(['GPU-H100']), want(['GPU-H100', 'S'])]
    expect(words(wanted, capped)).toEqual(['GPU-H100 0 1', 'account_gpus', 'S'])
    expect(found(wanted, capped)[1]).toEqual({ kind: 'account_gpus', limit: 2, held: 2, needs: 1 })
  })
})

test.each([
  ['eu-west', ['eu-west', 'us-east'], 'S'],
  ['eu-west', ['us-east'], 'region'],
  ['eu-west', [], 'S'],
  ['local', ['us-east'], 'S'],
])('a machine in %s and an app that allows %j: %s', (region, regions, word) => {
  expect(words([want(['S'], { regions })], hardware({ region }))).toEqual([word])
})

test('several machines: the first with room, and what is free nearest to enough is told', () => {
  const machines = [box, { ...box, id: 'other', cpus: 200, gpus: h100(0) }]
  const on = { ...hardware(), machines }
  const wanted = [3, 1, 1, 2].map((numGpus) => want(['GPU-H100'], { numGpus }))
  expect(found(wanted, on).map((one) => (isPlaced(one) ? [one.machineId, ...one.gpus] : one))).toEqual([
    ['box', 0, 1, 2],
    ['box', 3],
    ['other', 0],
    { kind: 'no_room', lacks: [{ machineType: 'GPU-H100', of: 'gpus', needs: 2, free: 0 }] },
  ])
})

describe('whatever is wanted of whatever there is', () => {
  const anyMachine = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    region: fc.constantFrom('local', 'eu-west', 'us-east'),
    cpus: fc.integer({ min: 1, max: 128 }),
    memoryBytes: fc.integer({ min: 1, max: 2_000 }).map((size) => size * gib),
    gpus: fc.uniqueArray(
      fc.record({
        index: fc.integer({ min: 0, max: 9 }),
        name: fc.constantFrom('NVIDIA H100 PCIe', 'NVIDIA A100-SXM4-40GB', 'Tesla T4'),
      }),
      { selector: ({ index }) => index },
    ),
  })
  const anyWant = fc.record({
    accountId: fc.constantFrom('ann', 'bob'),
    machineTypes: fc.uniqueArray(fc.constantFrom(...types.keys()), { minLength: 1, maxLength: 3 }),
    numGpus: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
    regions: fc.subarray(['eu-west', 'us-east']),
  })
  const anyHardware = fc.record({
    machines: fc.uniqueArray(anyMachine, { selector: ({ id }) => id }),
    types: fc.constant(types),
    rules: fc.record({
      cpuOvercommit: fc.constantFrom(1, 1.5, 20),
      memoryOvercommit: fc.constantFrom(1, 4),
      runnersPerMachine: fc.integer({ min: 1, max: 10 }),
      runnersPerAccount: fc.integer({ min: 1, max: 20 }),
      gpusPerAccount: fc.integer({ min: 1, max: 16 }),
      unplaceable: fc.constant('wait' as const),
    }),
  })
  const anyWants = fc
    .array(anyWant, { maxLength: 40 })
    .map((all) => all.map((each, index): Wanted => ({ ...each, id: `r${index}` })))

  test('nothing has more on it than it has, no GPU is anybody else’s, and no cap is passed', () => {
    fc.assert(
      fc.property(anyHardware, anyWants, (on, wanted) => {
        const placed = wanted.flatMap((each) => {
          const where = placeAll(wanted, [], on).get(each.id)
          return isPlaced(where) ? [{ ...each, where }] : []
        })
        for (const machine of on.machines) {
          const there = placed.filter(({ where }) => where.machineId === machine.id).map(({ where }) => where)
          const total = (of: 'cpus' | 'memoryBytes') => there.reduce((sum, one) => sum + one[of], 0)
          expect(total('cpus')).toBeLessThanOrEqual(machine.cpus * on.rules.cpuOvercommit + 1e-6)
          expect(total('memoryBytes')).toBeLessThanOrEqual(machine.memoryBytes * on.rules.memoryOvercommit)
          expect(there.length).toBeLessThanOrEqual(on.rules.runnersPerMachine)
          const indices = there.flatMap(({ gpus }) => gpus)
          expect(new Set(indices).size).toBe(indices.length)
          for (const { machineType, gpus } of there) {
            const model = types.get(machineType)?.gpu
            const right = model === undefined ? [] : gpusOfModel(machine, model).map(({ index }) => index)
            expect(right).toEqual(expect.arrayContaining([...gpus]))
          }
        }
        for (const account of ['ann', 'bob']) {
          const own = placed.filter(({ accountId }) => accountId === account)
          expect(own.length).toBeLessThanOrEqual(on.rules.runnersPerAccount)
          expect(own.flatMap(({ where }) => where.gpus).length).toBeLessThanOrEqual(on.rules.gpusPerAccount)
        }
        for (const { machineTypes, numGpus, regions, where } of placed) {
          expect(machineTypes).toContain(where.machineType)
          const hasGpus = types.get(where.machineType)?.gpu !== undefined
          expect(where.gpus.length).toBe(hasGpus ? numGpus || 1 : 0)
          const { region } = on.machines.find(({ id }) => id === where.machineId)!
          expect(regions.length === 0 || region === 'local' || regions.includes(region)).toBe(true)
        }
      }),
    )
  })

  test('what is given back is free as if nobody had had it', () => {
    fc.assert(
      fc.property(anyHardware, anyWants, (on, wanted) => {
        const room = new Room(on)
        const placed = placeInto(wanted, room, on)
        for (const { id, accountId } of wanted) {
          const placement = placed.get(id)
          if (isPlaced(placement)) room.giveBack({ accountId, placement })
        }
        expect(placeInto(wanted, room, on)).toEqual(placed)
      }),
    )
  })

  test('who comes later takes nothing from who came before, and never the place of one that wants the same', () => {
    fc.assert(
      fc.property(anyHardware, anyWants, fc.nat(), (on, wanted, cut) => {
        const all = placeAll(wanted, [], on)
        const first = wanted.slice(0, cut % (wanted.length + 1))
        expect([...placeAll(first, [], on)]).toEqual([...all].slice(0, first.length))
        const lost = new Set<string>()
        for (const { id, ...same } of wanted) {
          const key = JSON.stringify(same)
          if (!isPlaced(all.get(id))) lost.add(key)
          else expect(lost.has(key)).toBe(false)
        }
      }),
    )
  })

  test('what was placed and is still there is taken: going on from there is the same as placing all at once', () => {
    fc.assert(
      fc.property(anyHardware, anyWants, fc.nat(), (on, wanted, cut) => {
        const at = cut % (wanted.length + 1)
        const all = placeAll(wanted, [], on)
        const taken = wanted.slice(0, at).flatMap(({ id, accountId }) => {
          const placement = all.get(id)
          return isPlaced(placement) ? [{ accountId, placement }] : []
        })
        for (const [id, where] of placeAll(wanted.slice(at), taken, on)) expect(where).toEqual(all.get(id))
      }),
    )
  })
})
