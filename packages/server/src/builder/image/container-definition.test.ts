import { expect, test } from 'vitest'
import type { ContainerDefinition, ImageSource } from '../../domain/revision.ts'
import { checkContainer, containerIdOf } from './container-definition.ts'

const container = (source: ImageSource, more: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  kind: 'container',
  accountId: 'ann',
  source,
  layers: [],
  compileBytecode: false,
  ...more,
})
const text = {
  from: 'dockerfile',
  dockerfile: 'FROM a\n',
  buildArgs: { A: '1', B: '2' },
  context: [
    { path: 'a', mode: 0o100644, blob: 'x' },
    { path: 'b', mode: 0o644, blob: 'y' },
  ],
  buildSecrets: ['token'],
} as const
const facts = { secrets: {}, buildSecrets: {}, fingerprint: (value: string) => `mark of ${value}` }
const idOf = (definition: ContainerDefinition, more = {}) => containerIdOf(definition, { ...facts, ...more })

test('how an image is started, and the order of what has none, make no other environment', () => {
  const id = idOf(container(text))
  expect(idOf(container(text, { cmd: ['x'], entrypoint: [] }))).toBe(id)
  const [a, b] = text.context
  expect(idOf(container({ ...text, buildArgs: { B: '2', A: '1' }, context: [b, a] }))).toBe(id)
  expect(idOf(container({ ...text, context: [{ ...a, mode: 0o644 }, b] }))).toBe(id)
})

test('all that an image is made of makes another one', () => {
  const others = [
    idOf(container({ ...text, dockerfile: 'FROM b\n' })),
    idOf(container({ ...text, buildArgs: { A: '2', B: '2' } })),
    idOf(container({ ...text, context: [{ path: 'a', mode: 0o755, blob: 'x' }] })),
    idOf(container({ ...text, context: [{ path: 'a', mode: 0o644, blob: 'z' }] })),
    idOf(container(text, { accountId: 'bob' })),
    idOf(container(text, { pythonVersion: '3.11' })),
    idOf(container(text, { layers: [[]] })),
    idOf(container(text, { layers: [['six']] })),
    idOf(container(text), { buildSecrets: { token: 'one' } }),
    idOf(container(text), { buildSecrets: { token: 'two' } }),
    idOf(container({ from: 'reference', reference: 'a' }), { digest: 'one' }),
    idOf(container({ from: 'reference', reference: 'a' }), { digest: 'two' }),
    idOf(container({ from: 'base' })),
  ]
  expect(new Set([idOf(container(text)), ...others]).size).toBe(others.length + 1)
})

test.each([
  ['a name that is none', container({ from: 'reference', reference: 'not a name' }), /not the name of an image/],
  ['a Dockerfile without words', container({ ...text, dockerfile: ' \n' }), /empty/],
  ['a Dockerfile without end', container({ ...text, dockerfile: 'x'.repeat(1024 * 1024 + 1) }), /longer/],
  [
    'an argument that decides about caches',
    container({ ...text, buildArgs: { BUILDKIT_CACHE_MOUNT_NS: 'x' } }),
    /argument/,
  ],
  ['an argument that is no name', container({ ...text, buildArgs: { 'a b': 'x' } }), /argument/],
  ['a secret that is a path', container({ ...text, buildSecrets: ['../x'] }), /secret/],
  ['a file that leads out', container({ ...text, context: [{ path: '../x', mode: 0, blob: 'x' }] }), /leads out/],
  ['an absolute file', container({ ...text, context: [{ path: '/x', mode: 0, blob: 'x' }] }), /relative/],
  ['a file twice', container({ ...text, context: [text.context[0], text.context[0]] }), /twice/],
  ['a file with a zero byte', container({ ...text, context: [{ path: 'a\0', mode: 0, blob: 'x' }] }), /zero byte/],
  ['a requirement that is an option', container(text, { layers: [['--index-url=x']] }), /option/],
  ['a version that is none', container(text, { pythonVersion: '3' }), /minor version/],
  ['layers without end', container(text, { layers: Array.from({ length: 101 }, () => ['six']) }), /at most 100/],
])('%s is refused', (_, definition, words) => {
  expect(() => checkContainer(definition)).toThrow(words)
})

test('one empty layer is kept: what we need goes into it; others say nothing', () => {
  expect(checkContainer(container(text, { layers: [[]] })).layers).toEqual([[]])
  expect(checkContainer(container(text, { layers: [[], ['six # of the first kind'], []] })).layers).toEqual([['six']])
  expect(checkContainer(container(text)).layers).toEqual([])
})
