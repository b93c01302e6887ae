import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { changeServers, configFolder, readServers } from './user-config.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-user-'))
  vi.stubEnv('XDG_CONFIG_HOME', folder)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const add = (url: string) =>
  changeServers((all) => ({ ...all, servers: [...all.servers, { url, key: 'id:secret', nickname: 'ann' }] }))

test('logins at the same time are all kept, for their owner alone', async () => {
  const urls = Array.from({ length: 10 }, (_, number) => `https://box-${number}`)
  await Promise.all(urls.map(add))
  expect((await readServers()).servers.map(({ url }) => url).toSorted()).toEqual(urls)
  expect((await stat(join(configFolder(), 'servers.json'))).mode & 0o777).toBe(0o600)
})

test.each(['', 'cut off in the mi', '{"servers": 5}'])('a file that holds %j is not written over', async (text) => {
  await mkdir(configFolder())
  await writeFile(join(configFolder(), 'servers.json'), text)
  await expect(readServers()).rejects.toThrow(/servers\.json cannot be read: repair it, or delete it/)
  await expect(add('https://box')).rejects.toThrow(/cannot be read/)
})
