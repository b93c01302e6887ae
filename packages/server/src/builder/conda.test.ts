import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CondaDefinition } from '../domain/revision.ts'
import { condaArguments } from './conda.ts'
import { createBuilder } from './local-builder.ts'
import { findPythons } from './pythons.ts'

/** micromamba cannot be had on every machine that runs these tests, so one stands in for it that makes a bare venv. */
let root = ''
let pythonVersion = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'carrick-conda-'))
  const python = (await findPythons({ PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' })).at(-1)!
  pythonVersion = python.minor
  const script = `#!/bin/sh
if [ "$1" = --version ]; then echo 2.0.5; exit; fi
printf '%s\\n' "$@" > ${root}/said
while [ "$1" != --prefix ]; do shift; done
[ -e "$2" ] && { echo "something is at the prefix"; exit 1; }
echo "Linking packages"
exec ${python.path} -m venv --without-pip "$2"
`
  await mkdir(join(root, 'bin'))
  await writeFile(join(root, 'bin', 'micromamba'), script, { mode: 0o755 })
})
afterAll(() => rm(root, { recursive: true, force: true }))

const definition = (): CondaDefinition => ({
  kind: 'conda',
  pythonVersion,
  channels: ['conda-forge', 'nodefaults', 'bioconda'],
  packages: ['numpy>=2', 'bioconda::samtools'],
  layers: [['six==1.16.0']],
  compileBytecode: false,
})

async function build(path: string, environments = 'environments') {
  const variables = { ...process.env, PATH: path }
  const builder = await createBuilder({
    folder: join(root, environments),
    cacheFolder: join(root, 'cache'),
    variables,
  })
  const lines: string[] = []
  try {
    const signal = new AbortController().signal
    const id = await builder.build(definition(), { onLine: (line) => lines.push(line), signal })
    return { folder: builder.folderOf(id), lines }
  } finally {
    await builder.close()
  }
}

test('a conda environment is made by micromamba, with its requirements on top', { timeout: 60_000 }, async () => {
  const { folder, lines } = await build([join(root, 'bin'), process.env['PATH']].join(delimiter))
  const said = (await readFile(join(root, 'said'), 'utf8')).trim().split('\n')
  expect(said).toEqual(condaArguments(definition(), { folder, root: join(root, 'cache', 'micromamba') }))
  expect(lines).toEqual(expect.arrayContaining(['Linking packages', ' + six==1.16.0']))
  const program = 'import six, cloudpickle; print(six.__version__)'
  const { stdout } = await promisify(execFile)(join(folder, 'bin/python'), ['-c', program])
  expect(stdout.trim()).toBe('1.16.0')
})

test('without micromamba the build says what is missing and where to put it', async () => {
  const refused = build(join(root, 'nothing'), 'others')
  await expect(refused).rejects.toMatchObject({ code: 'build_failed' })
  await expect(refused).rejects.toThrow(/no micromamba where the server runs.*tools\/micromamba/)
})

test('what an app names stands behind the options, and its channels are the only ones', () => {
  expect(condaArguments(definition(), { folder: '/e', root: '/r' }).join(' ')).toBe(
    'create --yes --root-prefix /r --prefix /e --override-channels --channel conda-forge --channel bioconda ' +
      `python=${pythonVersion} numpy>=2 bioconda::samtools`,
  )
  expect(condaArguments({ ...definition(), channels: [] }, { folder: '/e', root: '/r' })).toContain('conda-forge')
})
