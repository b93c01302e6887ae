import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSettings } from './load.ts'
import { asToml, shownSettings } from './show.ts'

let folder = ''
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'carrick-settings-'))))
afterEach(() => rm(folder, { recursive: true }))

const file = () => join(folder, 'carrick.toml')
async function load(text: string, flags: Record<string, string> = {}, variables: Record<string, string> = {}) {
  await writeFile(file(), text)
  return loadSettings({ flags: { CARRICK_DATA: folder, ...flags }, variables })
}

test('flags come before variables, variables before the file, the file before defaults', async () => {
  const text = 'port = 1\nhost = "0.0.0.0"\nqueue_limit = 7\n'
  const { config, givens } = await load(text, { CARRICK_PORT: '3' }, { CARRICK_PORT: '2', CARRICK_HOST: '::1' })
  expect(config).toMatchObject({
    CARRICK_PORT: 3,
    CARRICK_HOST: '::1',
    CARRICK_QUEUE_LIMIT: 7,
    CARRICK_BODY_LIMIT: 104857600,
  })
  expect(givens).toMatchObject({
    CARRICK_PORT: { where: '--port' },
    CARRICK_HOST: { where: 'CARRICK_HOST' },
    CARRICK_QUEUE_LIMIT: { where: `${file()} line 3: queue_limit` },
  })
})

test('a data folder without a file has none of its settings, and is not made', async () => {
  const elsewhere = join(folder, 'not', 'there')
  const { config } = await loadSettings({ variables: { CARRICK_DATA: elsewhere, CARRICK_PORT: '5' } })
  expect(config).toMatchObject({ CARRICK_DATA: elsewhere, CARRICK_PORT: 5 })
})

test('several values are an array, or a text with commas', async () => {
  expect((await load('name = ["gpubox", "gpubox.example.com"]')).config.CARRICK_NAME).toBe('gpubox,gpubox.example.com')
  expect((await load('name = "gpubox, other"')).config.CARRICK_NAME).toBe('gpubox, other')
})

test('a machine type is a table, and the same as JSON in a variable', async () => {
  const text = 'region = "eu-west"\n[machine_types.GPU-H100]\ngpu = "RTX 4090"\nmemory = "24 GB"\n'
  const { CARRICK_MACHINE_TYPES: types } = (await load(text)).config
  expect(JSON.parse(types)).toEqual({ 'GPU-H100': { gpu: 'RTX 4090', memory: '24 GB' } })
  expect((await load('', {}, { CARRICK_MACHINE_TYPES: types })).config.CARRICK_MACHINE_TYPES).toBe(types)
})

test('a switch is a boolean of TOML', async () => {
  const text = 'acme_names = ["fal.example.com"]\nacme_agree_terms = true'
  expect((await load(text)).config.CARRICK_ACME_AGREE_TERMS).toBe('true')
})

describe('refused, with file, line and what is allowed:', () => {
  test.each([
    [
      'a value out of range',
      '\nport = 70000',
      'line 2: port: "70000" is not allowed: give a whole number from 0 to 65535',
    ],
    ['another type', 'port = true', 'line 1: port: "true" is not allowed: give a whole number'],
    ['an array where one is asked for', '# x\n\nport = [1]', 'line 3: port: this kind of value is not allowed'],
    ['a part that is no text', 'name = ["a", 1]', 'line 1: name: this kind of value is not allowed: give texts'],
    ['a date', 'owner = 2026-11-25', 'line 1: owner: this kind of value is not allowed: give a text'],
    ['a table', '[store]\nurl = "x"', 'line 1: store is not a setting'],
    ['a table with the name of a setting', '[port]\nx = 1', 'line 1: port: this kind of value is not allowed'],
    [
      'a machine type that cannot be',
      'port = 1\n\n[machine_types.S]\ncpus = 0',
      'line 3: machine_types: machine type S: cpus must be more than 0',
    ],
    [
      'a machine type that is half told',
      '[machine_types.big]\ncpus = 1',
      'line 1: machine_types: machine type big is not',
    ],
    ['GPUs and all of them', 'gpus = ["auto", "1"]', 'line 1: gpus: auto stands alone'],
    ['a region of two words', 'region = "EU West"', 'line 1: region: "EU West" is not allowed: give a label such as'],
    ['an unknown key', 'prot = 1', 'line 1: prot is not a setting: docs/reference/settings.md'],
    ['the name of the variable', 'CARRICK_PORT = 1', 'the setting is called port here'],
    ['the name of the flag', 'body-limit = 1', 'the setting is called body_limit here'],
    ['the data folder', 'data = "/x"', 'line 1: data says where this very file is'],
    ['no TOML', 'port = 1\nhost = ', 'line 2, column'],
    ['a key twice', 'port = 1\nport = 2', 'line 2'],
    ['a key of JavaScript', '__proto__ = 1', 'line 1'],
  ])('%s', async (_what, text, words) => {
    const error = await load(text).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(Error)
    const { message } = error as Error
    expect(message).toContain(`${file()} `)
    expect(message).toContain(words)
    expect(message).not.toContain('\n')
  })

  test('all of it at once', async () => {
    await expect(load('prot = 1\nhots = "x"')).rejects.toThrow(/line 1: prot[^]*line 2: hots/)
  })
})

describe('what is in force', () => {
  test('is shown as a file that says the same', async () => {
    const first = await load('name = ["a", "b"]\nqueue_limit = 9', { CARRICK_PORT: '0' })
    const toml = asToml(shownSettings(first))
    expect(toml).toContain('port = 0  # --port')
    expect(toml).toContain(`queue_limit = 9  # ${file()} line 2`)
    expect(toml).toContain('body_limit = 104857600  # default')
    expect((await load(toml)).config).toEqual({ ...first.config, CARRICK_OWNER: '' })
  })

  test('never has a secret in it', async () => {
    const settled = await load('acme_eab_key_id = "kid"\nacme_eab_hmac_key = "canary"')
    expect(JSON.stringify(shownSettings(settled))).toContain('(hidden)')
    expect(JSON.stringify(shownSettings(settled))).not.toContain('canary')
  })
})
