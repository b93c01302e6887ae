import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findPython, findPythons } from './pythons.ts'

let home = ''

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'carrick-pythons-'))
})
afterEach(() => rm(home, { recursive: true }))

/** A program that answers as that version would. */
async function aPython(folder: string, name: string, version: string): Promise<string> {
  const path = join(home, folder, name)
  await mkdir(join(home, folder), { recursive: true })
  await writeFile(path, `#!/bin/sh\necho ${version}\necho ${path}\n`)
  await chmod(path, 0o755)
  return path
}

const variables = (path = '') => ({ HOME: home, PATH: path })
const versions = async (path?: string) => (await findPythons(variables(path))).map(({ version }) => version)

test('interpreters are found on the PATH and in the folders of version managers', async () => {
  await aPython('bin', 'python3.71', '3.71.2')
  await aPython('.pyenv/versions/3.72.1/bin', 'python3', '3.72.1')
  await aPython('.local/share/uv/python/cpython-3.73/bin', 'python3.73', '3.73.0')
  expect(await versions(join(home, 'bin'))).toEqual(expect.arrayContaining(['3.71.2', '3.72.1', '3.73.0']))
})

test('of one minor version the newest is taken', async () => {
  await aPython('bin', 'python3', '3.71.9')
  const newest = await aPython('.pyenv/versions/3.71.10/bin', 'python3', '3.71.10')
  expect(await findPython('3.71', variables(join(home, 'bin')))).toEqual({
    path: newest,
    minor: '3.71',
    version: '3.71.10',
  })
})

test('a shim is not asked, because what it runs depends on where it is run', async () => {
  await aPython('.pyenv/shims', 'python3', '3.71.1')
  expect(await versions(join(home, '.pyenv/shims'))).not.toContain('3.71.1')
})

test('what is broken, too old, or no Python at all is left out', async () => {
  await aPython('bin', 'python3', '3.7.16')
  await aPython('bin', 'python3.71', 'what is a version?')
  await symlink('nowhere', join(home, 'bin/python3.72'))
  expect((await versions(join(home, 'bin'))).filter((version) => /^3\.7(\.|1|2)/.test(version))).toEqual([])
})

test('a version that is not here is refused with those that are', async () => {
  await aPython('bin', 'python3', '3.71.4')
  await expect(findPython('3.99', variables(join(home, 'bin')))).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringMatching(/^Python 3\.99 was asked for, but this machine has only .*3\.71\.4/),
  })
})
