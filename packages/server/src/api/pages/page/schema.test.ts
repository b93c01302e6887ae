import { expect, test } from 'vitest'
import { endpointsOf } from './schema.js'

const input = {
  type: 'object',
  required: ['prompt', 'image_url', 'maybe'],
  'x-fal-order-properties': ['steps', 'prompt'],
  properties: {
    prompt: { type: 'string', description: 'What to see' },
    image_url: { type: 'string', examples: ['https://localhost/a.png'] },
    steps: { type: 'integer', minimum: 1, maximum: 50, default: 20 },
    fast: { type: 'boolean', default: true },
    style: { anyOf: [{ $ref: '#/components/schemas/Style' }, { type: 'null' }], default: 'oil', description: 'How' },
    size: { allOf: [{ $ref: '#/components/schemas/Size' }] },
    tags: { type: 'array', items: { type: 'string' } },
    maybe: { anyOf: [{ type: 'number' }, { type: 'null' }] },
    secret: { type: 'string', ui: { hidden: true } },
    notes: { type: 'string', ui: { field: 'textarea' } },
    only: { const: 'one' },
    either: { anyOf: [{ type: 'string' }, { type: 'number' }] },
  },
}
const document = {
  'x-fal-order-paths': ['/second', '/'],
  paths: {
    '/': {
      post: {
        summary: 'First',
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/In~1put' } } } },
      },
    },
    '/second': { get: { description: 'Second' } },
    '/talk': { post: {}, 'x-fal-protocol': { type: 'websocket' } },
    'no-path': { post: {} },
    '/none': {},
  },
  components: { schemas: { 'In/put': input, Style: { enum: ['oil', 'ink'] }, Size: { type: 'object' } } },
}

test('endpoints come in the order of their author, each with what can be sent to it', () => {
  const endpoints = endpointsOf(document)
  expect(endpoints.map(({ path, method, summary }) => [path, method, summary])).toEqual([
    ['/second', 'GET', 'Second'],
    ['/', 'POST', 'First'],
    ['/talk', 'POST', ''],
  ])
  expect(endpoints.map(({ isRealtime }) => isRealtime)).toEqual([false, false, true])
  expect(endpoints[2]?.fields).toBeUndefined()
})

test('each kind of property becomes the control that fits it', () => {
  const fields = endpointsOf(document)[1]?.fields ?? []
  expect(fields.map(({ name, kind, isRequired }) => [name, kind, isRequired])).toEqual([
    ['steps', 'number', false],
    ['prompt', 'long', true],
    ['image_url', 'text', true],
    ['fast', 'boolean', false],
    ['style', 'choice', false],
    ['size', 'json', false],
    ['tags', 'json', false],
    ['maybe', 'number', false],
    ['notes', 'long', false],
    ['only', 'choice', false],
    ['either', 'json', false],
  ])
  expect(fields[0]).toMatchObject({ isInteger: true, min: 1, max: 50, preset: 20 })
  expect(fields[4]).toMatchObject({ choices: ['oil', 'ink'], preset: 'oil', description: 'How' })
  expect(fields[2]).toMatchObject({ preset: 'https://localhost/a.png' })
})

test.each([
  undefined,
  null,
  'text',
  [],
  { paths: [] },
  { paths: { '/': null } },
  { paths: { '/': { post: { requestBody: 7 } } } },
  {
    paths: { '/': { post: { requestBody: { content: { 'application/json': { schema: { $ref: '#/a' } } } } } } },
    a: { $ref: '#/a' },
  },
  {
    paths: { '/': { post: { requestBody: { content: { 'application/json': { schema: { $ref: 'http://x/y' } } } } } } },
  },
  {
    paths: {
      '/': { post: { requestBody: { content: { 'application/json': { schema: { $ref: '#/__proto__/x' } } } } } },
    },
  },
])('a document that is not what it should be has no fields: %j', (hostile) => {
  for (const { fields } of endpointsOf(hostile)) expect(fields).toBeUndefined()
})
