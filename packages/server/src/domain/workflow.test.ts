import { assert, array, nat, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filledIn, readWorkflow, startable, wholeInput } from './workflow.ts'

const run = (input: unknown, more: object = {}) => ({ type: 'run', app: 'ann/hello', depends: [], input, ...more })
const graph = (nodes: object, output: unknown = {}) => ({ name: 'x', nodes, output, version: '0.1' })

test('what the SDK writes is read: dependencies stand in a list, in references, or in both', () => {
  const { nodes } = readWorkflow(
    graph(
      {
        first: run({ text: '$input.text' }, { depends: ['input'], app: 'ann/hello/deep/path' }),
        second: run({ a: ['$first.images.0.url'], b: { c: '$input' } }),
        third: run({}, { depends: ['second'] }),
        shown: { type: 'display', depends: ['third'], fields: ['$first.url'] },
      },
      { picture: '$third' },
    ),
  )
  expect([...nodes.values()].map(({ after }) => [...after])).toEqual([[], ['first'], ['second'], ['third', 'first']])
  expect(nodes.get('first')).toMatchObject({ app: { owner: 'ann', name: 'hello', path: '/deep/path' } })
})

describe('what could never run is refused:', () => {
  test.each<[what: string, contents: unknown, sentence: string]>([
    ['no object', [], 'The workflow is not an object'],
    ['no output', { nodes: {} }, 'has no output'],
    ['no nodes', { output: {} }, '"nodes" is not an object'],
    ['a node of another kind', graph({ a: { type: 'loop' } }), 'Node "a" is of the kind "loop"'],
    ['a node that is called input', graph({ input: run({}) }), 'No node can be called "input"'],
    ['no app', graph({ a: run({}, { app: 'hello' }) }), 'Node "a" names no app'],
    ['a workflow in a workflow', graph({ a: run({}, { app: 'workflows/ann/x' }) }), 'and no other workflow'],
    ['a node that is not there', graph({ a: run({ b: '$b.c' }) }), 'Node "a" refers to "b", which is no node'],
    ['a dependency that is not there', graph({ a: run({}, { depends: ['b'] }) }), 'Node "a" refers to "b"'],
    ['an output of nothing', graph({}, { a: '$b' }), 'The output refers to "b"'],
    ['half a reference', graph({ a: run({ b: '$input..c' }) }), 'holds "$input..c"'],
    ['a price', graph({ a: run({ b: '$5' }) }), 'Node "a" refers to "5"'],
    ['a circle of one', graph({ a: run({ b: '$a' }) }), 'in a circle: a'],
    ['a circle of two', graph({ a: run('$b'), b: run('$a'), c: run({}) }), 'in a circle: a, b'],
    ['dependencies of another kind', graph({ a: run({}, { depends: 'b' }) }), 'not a list of names'],
    ['too many nodes', graph(Object.fromEntries(Array.from({ length: 201 }, (_, n) => [n, run({})]))), '200 at most'],
    ['a deep input', graph({ a: run(JSON.parse('['.repeat(9_000) + ']'.repeat(9_000))) }), '64 deep'],
  ])('%s', (_, contents, sentence) => expect(() => readWorkflow(contents)).toThrow(sentence))
})

test('what a caller leaves out is what the schema says; an input is an object', () => {
  const properties = { a: { default: 1 }, b: { type: 'string' }, c: 7 }
  const workflow = readWorkflow({ ...graph({}), schema: { input: { properties }, output: {} } })
  expect(wholeInput(workflow, { b: 'x' })).toEqual({ a: 1, b: 'x' })
  expect(wholeInput(workflow, { a: null })).toEqual({ a: null })
  expect(wholeInput(readWorkflow({ ...graph({}), schema: [] }), {})).toEqual({})
  for (const sent of [[], 'text', null, 7])
    expect(() => wholeInput(workflow, sent)).toThrow('The input is not an object')
})

describe('references', () => {
  const known = new Map<string, unknown>([
    ['input', { text: 'hello', list: [1, { x: null }] }],
    ['node-1', { images: [{ url: 'u' }], 0: 'zero' }],
  ])
  test.each<[value: unknown, filled: unknown]>([
    ['$input.text', 'hello'],
    ['$input.list.1.x', null],
    ['$node-1.images.0.url', 'u'],
    ['$node-1.0', 'zero'],
    [{ a: ['$input.list', 'costs $5', 7, null, true] }, { a: [[1, { x: null }], 'costs $5', 7, null, true] }],
  ])('%j is %j', (value, filled) => expect(filledIn(value, known, 'Node "a"')).toEqual(filled))

  test.each([
    ['$input.nothing', 'Node "a" asks for "nothing" of $input'],
    ['$input.text.0', 'asks for "0" of $input.text'],
    ['$input.list.2', 'asks for "2" of $input.list'],
    ['$input.constructor', 'asks for "constructor"'],
    ['$input.__proto__', 'asks for "__proto__"'],
    ['$missing.x', 'asks for "x" of $missing'],
  ])('%s leads nowhere', (value, sentence) => expect(() => filledIn(value, known, 'Node "a"')).toThrow(sentence))
})

test('whatever the graph, each node starts once, when all before it are done; one with a circle is refused', () => {
  assert(
    property(array(array(nat(9), { maxLength: 4 }), { maxLength: 10 }), (wanted) => {
      const after = wanted.map((others) => others.filter((other) => other < wanted.length))
      const nodes = after.map((others, id) => [`n${id}`, run(others.map((other) => `$n${other}.x`))] as const)
      const contents = graph(Object.fromEntries(nodes))
      if (hasCircle(after)) expect(() => readWorkflow(contents)).toThrow('in a circle')
      else expect(orderOf(contents).toSorted()).toEqual(nodes.map(([id]) => id).toSorted())
    }),
  )
})

/** The nodes in an order in which they can run. */
function orderOf(contents: unknown): string[] {
  const { nodes } = readWorkflow(contents)
  const done = new Set<string>()
  for (let next = startable(nodes, done, done); next.length > 0; next = startable(nodes, done, done)) {
    for (const { after } of next) expect([...after].every((other) => done.has(other))).toBe(true)
    for (const { id } of next) done.add(id)
  }
  return [...done]
}

/** Whether one can walk from a node back to it, looked at from each. */
function hasCircle(after: readonly (readonly number[])[]): boolean {
  const reaches = (from: number, to: number, seen = new Set<number>()): boolean =>
    (after[from] ?? []).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))))
  return after.some((_, node) => reaches(node, node))
}
