import { describe, expect, test } from 'vitest'
import { definitionOf as askedOf, oneOf } from './definition.ts'
import type { SentEnvironment } from './sent-environment.ts'

const sent = (configuration: Record<string, unknown>, kind = 'virtualenv') => [{ kind, configuration, force: false }]
const context = [{ path: 'src/a.py', mode: 0o100644, blob: 'blob' }]
const definitionOf = (environments: readonly SentEnvironment[]) =>
  askedOf(oneOf(environments), { accountId: 'ann', context: [] }).definition

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

test('another kind is refused with a sentence that names it', () => {
  expect(() => definitionOf(sent({}, 'pyenv'))).toThrow(expect.objectContaining({ code: 'unimplemented' }))
  expect(() => definitionOf(sent({}, 'pyenv'))).toThrow('"pyenv"')
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

describe('an image', () => {
  const asked = (image: unknown, more: Record<string, unknown> = {}, files = context) =>
    askedOf(oneOf(sent({ python_version: '3.11', image, ...more }, 'container')), { accountId: 'ann', context: files })
  const without = (image: unknown, more?: Record<string, unknown>) => asked(image, more, [])

  test('is a Dockerfile and what it copies, as the stock client sends it', () => {
    const image = {
      dockerfile_str: 'FROM python:3.11-slim\nCOPY src /src',
      build_args: { CUDA: '12', LEVEL: 3, FAST: true },
      registries: {},
      builder: null,
      compression: 'gzip',
      force_compression: false,
      secrets: { token: '$TOKEN', b: 'in clear' },
      docker_context_dir: '/home/ann/app',
      docker_files_list: ['src'],
      docker_ignore: ['x'],
    }
    const { definition, credentials, servesItself } = asked(image, { requirements: ['fal'], resolver: 'uv' })
    expect(definition).toEqual({
      kind: 'container',
      accountId: 'ann',
      source: {
        from: 'dockerfile',
        dockerfile: image.dockerfile_str,
        buildArgs: { CUDA: '12', LEVEL: '3', FAST: 'true' },
        context,
        buildSecrets: ['b', 'token'],
      },
      pythonVersion: '3.11',
      layers: [['fal']],
      compileBytecode: true,
    })
    expect(credentials.buildSecrets).toEqual({ token: '$TOKEN', b: 'in clear' })
    expect(servesItself).toBe(false)
    expect(JSON.stringify(definition)).not.toMatch(/in clear|\$TOKEN/)
  })

  test('is the name of one, whose registry has credentials', () => {
    const registries = {
      'https://index.docker.io/v1/': { username: 'u', password: 'in clear' },
      'registry.test:5000': { username: 'u', password: '$PASS' },
    }
    const { definition, credentials } = without({ image: 'registry.test:5000/a/b:1', registries })
    expect(definition).toMatchObject({ source: { from: 'reference', reference: 'registry.test:5000/a/b:1' } })
    expect(Object.keys(credentials.registries)).toEqual(['docker.io', 'registry.test:5000'])
    expect(JSON.stringify(definition)).not.toContain('in clear')
  })

  test("is the platform's own where none is named", () => {
    const platforms = { source: { from: 'base' }, pythonVersion: '3.11', layers: [[]] }
    expect(without(undefined).definition).toMatchObject(platforms)
    expect(without(null).definition).toMatchObject({ source: { from: 'base' } })
  })

  test('may come with a kind that says virtualenv, as one of pyproject.toml does', () => {
    const environments = sent({ python_version: '3.11', requirements: ['fal'], image: { image: 'x' } })
    expect(definitionOf(environments)).toMatchObject({ kind: 'container', layers: [['fal']] })
  })

  test('that serves by itself needs no Python, whichever the client has', () => {
    const { definition, servesItself } = without({ image: 'x', use_isolate: false })
    expect(servesItself).toBe(true)
    expect(definition).not.toHaveProperty('pythonVersion')
    expect(definition.layers).toEqual([])
    expect(without({ image: 'x', use_isolate: false }, { requirements: ['six'] }).definition).toMatchObject({
      pythonVersion: '3.11',
    })
  })

  test.each([
    ['python server.py --name "a b"', ['python', 'server.py', '--name', 'a b']],
    [`sh -c 'echo $HOME'`, ['sh', '-c', 'echo $HOME']],
    [
      ['a b', ''],
      ['a b', ''],
    ],
    ['', []],
    [[], []],
  ])('is started with %j', (line, words) => {
    expect(without({ image: 'x', entrypoint: line, cmd: line }).definition).toMatchObject({
      entrypoint: words,
      cmd: words,
    })
  })

  test('is started as it says where nothing else is said', () => {
    const { definition } = without({ image: 'x', entrypoint: null })
    expect(definition).not.toHaveProperty('entrypoint')
    expect(definition).not.toHaveProperty('cmd')
  })

  const password = 'hunter2'
  test.each([
    ['a Dockerfile and an image', { image: 'x', dockerfile_str: 'FROM x' }, []],
    ['needs a Dockerfile', {}, []],
    ['needs a Dockerfile', { dockerfile_str: '  \n' }, []],
    ['app_files is not supported', { image: 'x' }, context],
    ['app_files is not supported', undefined, context],
    ['build_args', { image: 'x', build_args: { A: 'b' } }, []],
    ['secrets', { image: 'x', secrets: { A: password } }, []],
    ['image.secrets', { dockerfile_str: 'FROM x', secrets: { 'a/b': password } }, []],
    ['host of a registry', { image: 'x', registries: { 'a b': { username: 'u', password } } }, []],
    ['password', { image: 'x', registries: { a: { username: 'u' } } }, []],
    ['email', { image: 'x', registries: { a: { username: 'u', password, email: 'x' } } }, []],
    ['quotation', { image: 'x', cmd: 'sh -c "echo' }, []],
    ['tag', { image: 'x', tag: 'x' }, []],
    ['compression', { dockerfile_str: 'FROM x', compression: 'rar' }, []],
  ])('is refused with the reason: %s', (reason, image, files) => {
    expect(() => asked(image, {}, files)).toThrow(reason)
    expect(() => asked(image, {}, files)).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(() => asked(image, {}, files)).not.toThrow(password)
  })
})
