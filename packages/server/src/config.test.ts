import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readConfig, settings } from './config.ts'

test('every wrong setting is named in one error', () => {
  expect(() => readConfig({ CARRICK_PORT: 'eighty', CARRICK_BACKEND: 'mainframe' })).toThrow(
    /CARRICK_PORT[^]*CARRICK_BACKEND/,
  )
})

test('variables of others are ignored, and what is absent has its default', () => {
  expect(readConfig({ HOME: '/nowhere' })).toMatchObject({ CARRICK_PORT: 8700, CARRICK_HOST: '127.0.0.1' })
})

test('the settings page lists every setting in the words of the schema', async () => {
  const page = await readFile(new URL('../../../docs/reference/settings.md', import.meta.url), 'utf8')
  const rows = Object.entries(settings.shape).map(([name, { description }]) => `| \`${name}\` | ${description} |`)
  const written = page.split('\n').filter((line) => line.startsWith('| `CARRICK_'))
  expect(written.map((line) => line.replace(/ [^|]*\|$/, '').trim())).toEqual(rows)
})
