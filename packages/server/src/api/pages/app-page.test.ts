import { expect, test } from 'vitest'
import { openTestControl } from '../../testing/control.ts'
import { serviceUrls } from '../grpc/grpc-show.ts'
import { appPage } from './app-page.ts'

const page = { owner: 'ann', name: 'hello', path: '', baseUrl: 'https://localhost:8700' }

test('the page of an endpoint says how to call just that one, and what shows its logs', async () => {
  const text = await appPage({ ...page, path: 'v2/generate' })
  const words = text.replaceAll(/<[^>]*>/g, '')
  expect(words).toContain('https://localhost:8700/ann/hello/v2/generate')
  expect(words).toContain('fal_client.subscribe("ann/hello/v2/generate", arguments={})')
  expect(text).toContain('fal apps runners hello')
})

test('nothing of an address can become a command or a tag', async () => {
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
    await expect(appPage({ ...page, path: words })).rejects.toThrow('No app can have this address')
    await expect(appPage({ ...page, name: words })).rejects.toThrow('No app can have this address')
    await expect(appPage({ ...page, owner: words })).rejects.toThrow('No app can have this address')
  }
})

test('the addresses that a deploy prints are served to anyone', async () => {
  await using control = await openTestControl()
  const { playground, log } = serviceUrls('', { owner: 'ann', name: 'hello' })
  for (const address of [playground, `${playground}/`, `${playground}/generate`, log]) {
    const { status, body } = await control.rest(address ?? '', { key: null })
    expect(status).toBe(200)
    expect(body).toContain('>ann/hello</h1>')
  }
  expect(await control.rest('/dashboard/apps/ann/x%22%3Breboot', { key: null })).toMatchObject({ status: 404 })
  expect(await control.rest('/dashboard/apps/ann', { key: null })).toMatchObject({ status: 404 })
})

test('a page runs nothing but the files that are served here, and names each of them', async () => {
  await using control = await openTestControl()
  const { body } = await control.rest('/dashboard/apps/ann/hello', { key: null })
  expect(body).not.toMatch(/<script(?! type="module" src="\/dashboard\/assets\/page.js"><\/script>)|\son\w+=|style=/)
  const imported = new Set(['page.css', 'page.js'])
  for (const file of imported) {
    const answer = await control.rest(`/dashboard/assets/${file}`, { key: null })
    expect(answer.status, file).toBe(200)
    for (const [, name = ''] of String(answer.body).matchAll(/ from '\.\/(.*)'/g)) imported.add(name)
  }
  for (const file of ['page.test.ts', '..%2Fapp-page.ts', 'tsconfig.json', 'constructor'])
    expect(await control.rest(`/dashboard/assets/${file}`, { key: null })).toMatchObject({ status: 404 })
})
