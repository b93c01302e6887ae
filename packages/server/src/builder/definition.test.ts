import { describe, expect, test } from 'vitest'
import type { CondaDefinition, VirtualenvDefinition } from '../domain/revision.ts'
import { checkDefinition, environmentIdOf } from './definition.ts'

const definition: VirtualenvDefinition = {
  kind: 'virtualenv',
  pythonVersion: '3.11',
  layers: [['torch', 'numpy'], ['six']],
  compileBytecode: true,
}

describe('the id of an environment', () => {
  test('is a SHA-256 in hex', () => {
    expect(environmentIdOf(definition)).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each<[string, Partial<VirtualenvDefinition>]>([
    ['the Python version', { pythonVersion: '3.12' }],
    ['compilation', { compileBytecode: false }],
    ['a requirement', { layers: [['torch', 'numpy'], ['six==1']] }],
    ['the order of layers', { layers: [['six'], ['torch', 'numpy']] }],
    ['the order within a layer', { layers: [['numpy', 'torch'], ['six']] }],
    ['where a layer ends', { layers: [['torch'], ['numpy', 'six']] }],
  ])('is another one when %s differs', (_, change) => {
    expect(environmentIdOf({ ...definition, ...change })).not.toBe(environmentIdOf(definition))
  })

  test('is the same whatever the comments, the spaces at the ends and the empty layers', () => {
    const layers = [['torch # the large one', '# only words', '', ' numpy '], [], ['six']]
    expect(environmentIdOf({ ...definition, layers })).toBe(environmentIdOf(definition))
  })
})

const check = (requirement: string) => () => checkDefinition({ ...definition, layers: [[requirement]] })

describe('a requirement', () => {
  test.each([
    'six',
    'six==1.17.0',
    'six >= 1.0, < 2',
    'torch==2.6.0+cu124',
    'numpy==1.*',
    'uvicorn[standard]>=0.2',
    'fal [wma, extra]',
    'six (>=1.0)',
    'six~=1.0; python_version < "3.12" and sys_platform == "linux"',
    'app @ https://example.com/app-1.0.tar.gz',
    'app[gpu]@https://example.com/app-1.0.tar.gz#sha256=abc',
    'app @ git+https://example.com/owner/app.git@main#subdirectory=python ; python_version > "3.8"',
    'git+https://example.com/owner/app.git',
    'https://example.com/app-1.0-py3-none-any.whl',
  ])('may be %j', (requirement) => {
    expect(check(requirement)).not.toThrow()
  })

  test.each([
    ['--index-url=https://example.com', 'an option of the installer'],
    ['-e .', 'an option of the installer'],
    ['-r /etc/passwd', 'an option of the installer'],
    ['six\n--index-url=https://example.com', 'one requirement is one line'],
    ['six\r-r x', 'one requirement is one line'],
    ['six \\', 'control characters and backslashes'],
    ['.', 'it is a path'],
    ['./app', 'it is a path'],
    ['../app[extra]', 'it is a path'],
    ['/srv/app', 'it is a path'],
    ['~/app', 'it is a path'],
    ['file:///srv/app', 'it is a path'],
    ['app @ file:///srv/app', 'it is a path'],
    ['app @ git+file:///srv/app', 'it is a path'],
    ['app @ /srv/app', 'it is neither a package'],
    ['folder/app', 'it is neither a package'],
    ['git+ssh://example.com/app', 'it is neither a package'],
    ['app @ https://${SECRET}@example.com/app.zip', 'which this app does not see'],
    ['six; python_version < "${PATH}"', 'which this app does not see'],
    ['x'.repeat(5_000), 'longer than'],
  ])('may not be %j', (requirement, reason) => {
    expect(check(requirement)).toThrow(reason)
    expect(check(requirement)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })
})

test.each(['3', '3.11.4', '2.7.18', '3.11; rm', '/usr/bin/python3'])('Python %j is refused', (pythonVersion) => {
  expect(() => checkDefinition({ ...definition, pythonVersion })).toThrow('is not a minor version')
})

describe('a conda environment', () => {
  const conda: CondaDefinition = {
    kind: 'conda',
    pythonVersion: '3.11',
    channels: ['conda-forge'],
    packages: ['numpy>=2'],
    layers: [['six']],
    compileBytecode: true,
  }

  test.each<[string, Partial<CondaDefinition>]>([
    ['a channel', { channels: ['bioconda'] }],
    ['a package', { packages: ['numpy>=1'] }],
    ['a requirement', { layers: [['six==1']] }],
    ['the Python version', { pythonVersion: '3.12' }],
  ])('has another id when %s differs', (_, change) => {
    expect(environmentIdOf({ ...conda, ...change })).not.toBe(environmentIdOf(conda))
  })

  test('has another id than a virtual environment with the same requirements', () => {
    const { pythonVersion, layers, compileBytecode } = conda
    const same = environmentIdOf({ kind: 'virtualenv', pythonVersion, layers, compileBytecode })
    expect(environmentIdOf({ ...conda, packages: [], channels: [] })).not.toBe(same)
  })

  test.each([
    'numpy',
    'numpy >=2,<3',
    'conda-forge::numpy',
    'pytorch=2.1.*=*cuda*',
    'python-dateutil',
    '_libgcc_mutex',
  ])('may name the package %j', (name) => expect(() => checkDefinition({ ...conda, packages: [name] })).not.toThrow())

  test.each([
    ['--prefix=/etc', 'package'],
    ['-f/etc/passwd', 'package'],
    ['/srv/numpy.conda', 'package'],
    ['./numpy.conda', 'package'],
    ['https://example.com/numpy.conda', 'package'],
    ['numpy[url=file:///srv/numpy.conda]', 'package'],
    ['numpy\n--yes', 'package'],
    ['${TOKEN}', 'package'],
    ['x'.repeat(300), 'package'],
    ['python=3.8', 'python_version'],
    ['python', 'python_version'],
    ['conda-forge::python >=3', 'python_version'],
  ])('may not name the package %j', (name, reason) => {
    expect(() => checkDefinition({ ...conda, packages: [name] })).toThrow(reason)
  })

  test.each(['-c', '/srv/channel', './channel', 'file:///srv/channel', 'https://me:secret@example.com/channel', ''])(
    'may not name the channel %j',
    (name) => expect(() => checkDefinition({ ...conda, channels: [name] })).toThrow('The conda channel'),
  )
})
