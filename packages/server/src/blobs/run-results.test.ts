import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openRunResults, type RunResults } from './run-results.ts'

const head = '{"method": "cloudpickle", "raised": false}\n'

describe('results of runs', () => {
  let folder: string
  let results: RunResults
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-results-'))
    results = await openRunResults({ folder, limit: 100 })
    await mkdir(dirname(results.pathOf('one')))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('are handed on byte by byte, once', async () => {
    await writeFile(results.pathOf('one'), Buffer.concat([Buffer.from(head), Buffer.from([0, 10, 255])]))
    const taken = await results.take('one')
    expect(taken).toMatchObject({ kind: 'value', method: 'cloudpickle', raised: false })
    expect(taken?.kind === 'value' && [...taken.definition]).toEqual([0, 10, 255])
    expect(await results.take('one')).toBeUndefined()
  })

  test('have a limit', async () => {
    await writeFile(results.pathOf('one'), `${head}${'x'.repeat(101)}`)
    await expect(results.take('one')).rejects.toThrow('The result has 101 bytes; 100 are allowed')
    expect(await readdir(folder)).toEqual([])
  })

  test('that are no results are refused', async () => {
    await writeFile(results.pathOf('one'), 'hello')
    await expect(results.take('one')).rejects.toThrow('no result')
  })

  test('are never read through a link', async () => {
    const elsewhere = join(folder, 'elsewhere')
    await writeFile(elsewhere, `${head}secret`)
    await symlink(elsewhere, results.pathOf('one'))
    expect(await results.take('one')).toBeUndefined()
  })
})
