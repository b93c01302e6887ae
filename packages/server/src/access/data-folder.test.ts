import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDataFolder, readServerFile } from './data-folder.ts'

let place = ''
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'carrick-data-'))
})
afterEach(() => rm(place, { recursive: true }))

const server = { url: 'https://localhost:8700', host: '127.0.0.1', port: 8700, pid: 1, version: '0.1.0', ingress: 'x' }
const modeOf = async (file: string) => (await stat(file)).mode & 0o777

describe('opening a data folder', () => {
  test('makes it, for its owner alone', async () => {
    const folder = await openDataFolder(join(place, 'a', 'b'))
    expect(await modeOf(folder.path)).toBe(0o700)
    await folder.close()
  })

  test('makes a folder private that was open and holds nothing of others', async () => {
    await chmod(place, 0o755)
    await mkdir(join(place, 'cache'))
    await (await openDataFolder(place)).close()
    expect(await modeOf(place)).toBe(0o700)
  })

  test('leaves the mode of a folder that others use too', async () => {
    await chmod(place, 0o755)
    await writeFile(join(place, 'thesis.txt'), '')
    await (await openDataFolder(place)).close()
    expect(await modeOf(place)).toBe(0o755)
  })

  test('says where none can be made', async () => {
    await expect(openDataFolder('/proc/carrick/data')).rejects.toThrow(
      'the data folder /proc/carrick/data cannot be used',
    )
  })

  test('says which path is no folder', async () => {
    const file = join(place, 'file')
    await writeFile(file, '')
    await expect(openDataFolder(file)).rejects.toThrow(`the data folder ${file} cannot be used`)
  })
})

describe('a second server on the same folder', () => {
  test('is refused in a sentence that names the folder', async () => {
    const first = await openDataFolder(place)
    await expect(openDataFolder(place)).rejects.toThrow(
      `the data folder ${place} cannot be opened: another Carrick server`,
    )
    await first.close()
  })

  test('is let in when the first has closed', async () => {
    await (await openDataFolder(place)).close()
    await (await openDataFolder(place)).close()
  })

  test('is let in when the first was killed, and finds no server file', async () => {
    const first = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', holder, place])
    expect(String((await once(first.stdout, 'data'))[0]).trim()).toBe('open')
    await expect(openDataFolder(place)).rejects.toThrow(place)
    expect(await readServerFile(place)).toBeDefined()
    first.kill('SIGKILL')
    await once(first, 'exit')
    const second = await openDataFolder(place)
    expect(await readServerFile(place)).toBeUndefined()
    await second.close()
  })
})

const holder = `
import { openDataFolder } from ${JSON.stringify(new URL('data-folder.ts', import.meta.url).href)}
const folder = await openDataFolder(process.argv[1])
await folder.writeServerFile(${JSON.stringify(server)})
console.log('open')
setInterval(() => {}, 1000)
`

describe('the server file', () => {
  test('says what the server said, until it closes', async () => {
    const folder = await openDataFolder(place)
    expect(await readServerFile(place)).toBeUndefined()
    await folder.writeServerFile(server)
    expect(await readServerFile(place)).toEqual(server)
    expect(await modeOf(folder.serverFile)).toBe(0o600)
    await folder.close()
    expect(await readServerFile(place)).toBeUndefined()
  })

  test('is missing where there is no data folder', async () => {
    expect(await readServerFile(join(place, 'nowhere'))).toBeUndefined()
  })
})
