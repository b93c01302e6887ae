import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bringOwnArchives } from './own-archives.ts'

let folder = ''
let host = ''
const server = createServer((request, response) => {
  response.statusCode = request.url?.includes('gone') === true ? 404 : 200
  response.end('an archive')
})

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-archives-'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

const bring = (...layers: string[][]) =>
  bringOwnArchives(layers, { hosts: [host], bundle: undefined, folder, signal: AbortSignal.timeout(30_000) })

test('what an author uploaded here goes along, and all else is fetched by the build', async () => {
  const own = `own[extra] @ http://${host}/files/own-1.0%2Blocal.tar.gz; python_version > "3"`
  const { layers, files } = await bring(['six'], [own, 'other @ https://other.test/x.tar.gz'])
  const path = 'files/0/own-1.0+local.tar.gz'
  const here = `own[extra] @ file:///dev/carrick/${path}; python_version > "3"`
  expect(layers).toEqual([['six'], [here, 'other @ https://other.test/x.tar.gz']])
  expect(files).toMatchObject([{ path }])
  expect(await readFile(join(folder, '0'), 'utf8')).toBe('an archive')
})

test('names that would lead elsewhere are not taken', async () => {
  const { files } = await bring([`http://${host}/a/..%2f..%2fetc`, `http://${host}/`])
  expect(files.map(({ path }) => path)).toEqual(['files/0/package.tar.gz', 'files/1/package.tar.gz'])
})

test('one that is gone is named', async () => {
  await expect(bring([`http://${host}/gone.tar.gz`])).rejects.toThrow(
    /gone\.tar\.gz could not be fetched: the answer was 404/,
  )
})
