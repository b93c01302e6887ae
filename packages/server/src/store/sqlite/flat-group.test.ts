import { expect, test } from 'vitest'
import { SqliteError } from './packed.ts'
import { flattenEnds, unflattenEnds } from './flat-ends.ts'
import { flattenGroup, unflattenGroup } from './flat-group.ts'

const bytes = (...values: number[]) => new Uint8Array(values)

test('a group arrives as it was, also after its bytes were handed over', () => {
  const window = new Uint8Array([9, 1, 2, 9]).subarray(1, 3)
  const group = [
    [{ text: 'a', values: ['x', 1.5, null, 12345678901234567890n] }],
    [],
    [
      { text: 'b', values: [bytes(), window] },
      { text: 'a', values: [] },
    ],
    [{ text: 'b', values: [bytes(3), '', -1, bytes(4, 5)] }],
  ]
  const flat = flattenGroup(group)
  expect(flat.texts).toEqual(['a', 'b'])
  const arrived = unflattenGroup(structuredClone(flat, { transfer: [flat.bytes.buffer] }))
  expect(arrived).toEqual(group)
  expect(window).toEqual(bytes(1, 2))
})

test('how writes ended arrives as it was', () => {
  const columns = ['seq', 'body']
  const ends = [
    [1, 0],
    { failed: { message: 'UNIQUE constraint failed', errcode: 2067 } },
    [],
    { failed: { message: 'not from SQLite' } },
    [
      { columns, rows: [] },
      7,
      {
        columns,
        rows: [
          [1, bytes(2)],
          [null, 'x'],
        ],
      },
    ],
    [{ columns: ['n'], rows: [[5n]] }],
  ]
  expect(unflattenEnds(structuredClone(flattenEnds(ends)))).toEqual([
    {
      results: [
        { changes: 1, rows: [] },
        { changes: 0, rows: [] },
      ],
    },
    { error: new SqliteError({ message: 'UNIQUE constraint failed', errcode: 2067 }) },
    { results: [] },
    { error: new SqliteError({ message: 'not from SQLite' }) },
    {
      results: [
        { changes: 0, rows: [] },
        { changes: 7, rows: [] },
        {
          changes: 2,
          rows: [
            { seq: 1, body: bytes(2) },
            { seq: null, body: 'x' },
          ],
        },
      ],
    },
    { results: [{ changes: 1, rows: [{ n: 5n }] }] },
  ])
})
