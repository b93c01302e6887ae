import { describe, expect, test } from 'vitest'
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

describe('a conda environment', () => {
  const conda = (configuration: Record<string, unknown>) =>
    definitionOf(sent({ python_version: '3.11', ...configuration }, 'conda'))

  test('is a list of packages, requirements and channels', () => {
    expect(conda({ packages: ['numpy>=2'], pip: ['six'], channels: ['bioconda'] })).toEqual({
      kind: 'conda',
      pythonVersion: '3.11',
      channels: ['bioconda'],
      packages: ['numpy>=2'],
      layers: [['six']],
      compileBytecode: true,
    })
  })

  const file = { name: 'mine', channels: ['conda-forge'], dependencies: ['numpy', { pip: ['six', 'idna'] }] }

  test('is a file, as it was read by the client', () => {
    expect(conda({ env_dict: file, pip: ['fastapi'], channels: ['bioconda'] })).toMatchObject({
      channels: ['conda-forge', 'bioconda'],
      packages: ['numpy'],
      layers: [['six', 'idna', 'fastapi']],
    })
  })

  test('is a file, as text', () => {
    const text = 'name: mine\nchannels: [conda-forge]\ndependencies:\n  - numpy\n  - pip:\n      - six\n      - idna\n'
    expect(conda({ env_yml_str: text })).toEqual(conda({ env_dict: file }))
  })

  test.each([
    ['one of `env_dict`', {}],
    ['is not YAML', { env_yml_str: 'a: [' }],
    ['is not YAML', { env_yml_str: `a: &a [x]\n${'b: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n'.repeat(20)}` }],
    ['variables', { env_dict: { dependencies: [], variables: { A: 'b' } } }],
    ['python_version', { packages: [], python_version: '3' }],
    ['tags', { packages: [], tags: [] }],
  ])('is refused with the reason: %s', (reason, configuration) => {
    expect(() => conda(configuration)).toThrow(reason)
    expect(() => conda(configuration)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })
})
