import { expect, test } from 'vitest'
import { openTestControl } from '../testing/control.ts'
import { serviceUrls } from './grpc-show.ts'
import { appPage } from './app-page.ts'

const page = { owner: 'ann', name: 'hello', path: '', baseUrl: 'https://localhost:8700' }

test('the page of an endpoint says how to call just that one, and what shows its logs', () => {
  const text = appPage({ ...page, path: 'v2/generate' })
  expect(text).toContain('https://localhost:8700/ann/hello/v2/generate</pre>')
  expect(text).toContain('fal_client.subscribe(&quot;ann/hello/v2/generate&quot;')
  expect(text).toContain('fal apps runners hello')
})

test('nothing of an address can become a command or a tag', () => {
  const hostile = [
    '";reboot;"',
    "';reboot;'",
    '$(reboot)',
    '`reboot`',
    '<script>alert(1)</script>',
    'a b',
    '%22',
    'a\nreboot',
    '\\',
  ]
  for (const words of hostile) {
    expect(() => appPage({ ...page, path: words })).toThrow('No app can have this address')
    expect(() => appPage({ ...page, name: words })).toThrow('No app can have this address')
    expect(() => appPage({ ...page, owner: words })).toThrow('No app can have this address')
  }
})

test('the addresses that a deploy prints are served to anyone', async () => {
  await using control = await openTestControl()
  const { playground, log } = serviceUrls('', { owner: 'ann', name: 'hello' })
  for (const address of [playground, `${playground}/`, `${playground}/generate`, log]) {
    const { status, body } = await control.rest(address ?? '', { key: null })
    expect(status).toBe(200)
    expect(body).toContain('<h1>ann/hello')
  }
  expect(await control.rest('/dashboard/apps/ann/x%22%3Breboot', { key: null })).toMatchObject({ status: 404 })
  expect(await control.rest('/dashboard/apps/ann', { key: null })).toMatchObject({ status: 404 })
})
