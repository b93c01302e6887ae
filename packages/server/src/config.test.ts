import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readConfig } from './settings/load.ts'
import { settingsPage } from './settings/page.ts'

test('every wrong setting is named in one error, with what is allowed', () => {
  expect(() => readConfig({ CARRICK_PORT: 'eighty', CARRICK_BACKEND: 'mainframe' })).toThrow(
    /^CARRICK_PORT: "eighty" is not allowed: give a whole number from 0 to 65535\nCARRICK_BACKEND: "mainframe" .*process/,
  )
})

test('variables of others are ignored, and what is absent or empty has its default', () => {
  expect(readConfig({ HOME: '/nowhere', CARRICK_PORT: '' })).toMatchObject({
    CARRICK_PORT: 8700,
    CARRICK_HOST: '127.0.0.1',
  })
})

test.each([
  [{ CARRICK_TLS_CERT: '/cert.pem' }, /CARRICK_TLS_KEY belong together/],
  [{ CARRICK_ACME_NAMES: 'fal.example.com' }, /set CARRICK_ACME_AGREE_TERMS to true/],
  [
    { CARRICK_ACME_NAMES: 'a.example', CARRICK_ACME_AGREE_TERMS: 'true', CARRICK_TLS_CERT: 'c', CARRICK_TLS_KEY: 'k' },
    /one of the two/,
  ],
  [{ CARRICK_ACME_EAB_KEY_ID: 'kid' }, /EAB_HMAC_KEY belong together/],
  [{ CARRICK_TRUSTED_PROXIES: '10.0.0.0/8, proxy' }, /CARRICK_TRUSTED_PROXIES: "proxy" is not an address/],
  [{ CARRICK_FETCH_ALLOW: 'everything' }, /CARRICK_FETCH_ALLOW: "everything" is not an address/],
  [{ CARRICK_ACME_DIRECTORY: 'http://acme.example/dir' }, /give an https URL/],
])('%j contradicts itself', (variables, words) => {
  expect(() => readConfig(variables)).toThrow(words)
})

test('the settings page is what the schema says (npm run docs writes it)', async () => {
  const page = await readFile(new URL('../../../docs/reference/settings.md', import.meta.url), 'utf8')
  expect(page).toBe(settingsPage())
})
