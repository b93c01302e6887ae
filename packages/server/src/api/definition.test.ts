import { expect, test } from 'vitest'
import { definitionOf } from './definition.ts'

const sent = (configuration: Record<string, unknown>, kind = 'virtualenv') => [{ kind, configuration, force: false }]

test('a flat list of requirements is one layer', () => {
  expect(definitionOf(sent({ python_version: '3.11', requirements: ['fal', ' numpy>=2 '], resolver: 'uv' }))).toEqual({
    kind: 'virtualenv',
    pythonVersion: '3.11',
    layers: [['fal', 'numpy>=2']],
    compileBytecode: true,
  })
})

test('layers keep their order', () => {
  const requirements = [['torch'], [], ['fal', 'numpy']]
  const definition = definitionOf(sent({ python_version: '3.12', requirements, compile_bytecode: false }))
  expect(definition).toMatchObject({ layers: [['torch'], ['fal', 'numpy']], compileBytecode: false })
})

test('an environment without requirements has no layers', () => {
  expect(definitionOf(sent({ python_version: '3.11' })).layers).toEqual([])
  expect(definitionOf(sent({ python_version: '3.11', requirements: [] })).layers).toEqual([])
})

test.each([
  ['container', sent({ image: {} }, 'container')],
  ['container', sent({ python_version: '3.11', image: { image: 'x' } })],
  ['conda', sent({ packages: [] }, 'conda')],
])('the kind %s is refused with a sentence that names it', (kind, environments) => {
  expect(() => definitionOf(environments)).toThrow(expect.objectContaining({ code: 'unimplemented' }))
  expect(() => definitionOf(environments)).toThrow(`"${kind}"`)
})

test.each([
  ['python_version', { requirements: [] }],
  ['python_version', { python_version: '3.11.4' }],
  ['resolver', { python_version: '3.11', resolver: 'poetry' }],
  ['requirements', { python_version: '3.11', requirements: [1] }],
  ['tags', { python_version: '3.11', tags: [] }],
])('a wrong %s is named', (name, configuration) => {
  expect(() => definitionOf(sent(configuration))).toThrow(name)
})

test('there is exactly one environment', () => {
  expect(() => definitionOf([])).toThrow('exactly one')
  expect(() => definitionOf([...sent({}), ...sent({})])).toThrow('exactly one')
})
