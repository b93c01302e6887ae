import { beforeEach, expect, test } from 'vitest'
import { serverDefaults } from '../domain/scale.ts'
import { deleteApp } from '../store/apps.ts'
import { addRevision } from '../store/named-revisions.ts'
import { deleteRevision } from '../store/revisions.ts'
import { openTestGateway } from '../testing/gateway.ts'
import type { TestGateway } from '../testing/gateway.ts'
import { testSpec } from '../testing/scheduler.ts'

let gateway: TestGateway

beforeEach(async () => {
  gateway = await openTestGateway()
  return () => gateway[Symbol.asyncDispose]()
})

const revisionId = '01a2156b-ad0d-73b6-9479-304a43998ea4'

/** An app whose calls are answered with `active`, and a revision of it that answers with its own name. */
async function appWithRevision(authMode: 'private' | 'public' = 'private') {
  const app = await gateway.addApp('hello', { authMode, runner: (_, res) => res.end('active') })
  const revision = { id: revisionId, spec: testSpec({ keep_alive: 7, min_concurrency: 2 }), now: 1 }
  await gateway.store.commit(addRevision({ accountId: 'account-ann', name: 'hello' }, revision))
  return app
}

/** Gives what serves the named revision a runner. */
async function serveNamed(): Promise<void> {
  const { app } = gateway.apps.find('ann', `hello@${revisionId}`) ?? {}
  const home = gateway.homes.of(app?.id ?? '')
  await gateway.serveBy({ id: app?.id ?? '', name: 'hello', home }, (_, res) => res.end(`${revisionId} answers`))
}

test.each([`hello@${revisionId}`, `hello%40${revisionId}`])('a revision is called by its name: %s', async (name) => {
  await appWithRevision()
  const answer = gateway.fetch(`/ann/${name}/generate`, { method: 'POST', body: '{}' })
  await expect.poll(() => gateway.apps.find('ann', `hello@${revisionId}`)?.active?.id).toBe(revisionId)
  await serveNamed()
  expect(await (await answer).text()).toBe(`${revisionId} answers`)
  expect(await (await gateway.fetch('/ann/hello', { method: 'POST', body: '{}' })).text()).toBe('active')
})

test('it scales as its code says, from nothing, and is private', async () => {
  await appWithRevision('public')
  await gateway.fetch(`/queue/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })
  const named = gateway.apps.find('ann', `hello@${revisionId}`)?.app
  expect(named).toMatchObject({ authMode: 'private', environment: 'main', revisionOf: 'app-hello' })
  expect(named?.scale).toEqual({ ...serverDefaults, keep_alive: 7, min_concurrency: 0, max_concurrency: 2 })
})

test('through the queue it has addresses of its own, under which its result is read', async () => {
  await appWithRevision()
  const submitted = await gateway.fetch(`/queue/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })
  const { status_url, response_url, cancel_url } = (await submitted.json()) as Record<string, string>
  expect(status_url).toContain(`/queue/ann/hello@${revisionId}/requests/`)
  const path = (url = '') => new URL(url).pathname
  expect((await gateway.fetch(path(status_url))).status).toBe(202)
  await serveNamed()
  await expect.poll(async () => (await gateway.fetch(path(status_url))).status).toBe(200)
  expect(await (await gateway.fetch(path(response_url))).text()).toBe(`${revisionId} answers`)
  expect((await gateway.fetch(path(cancel_url), { method: 'PUT' })).status).toBe(400) // it is over
})

test.each([
  ['nobody', null, 401],
  ['another account', 'bob', 404],
] as const)('%s calls no revision by its name, also of a public app', async (_, who, status) => {
  await appWithRevision('public')
  const key = who === null ? null : gateway.keys[who]
  const call = () => gateway.fetch(`/ann/hello@${revisionId}`, { method: 'POST', body: '{}', key })
  expect((await call()).status).toBe(status)
  expect(gateway.apps.find('ann', `hello@${revisionId}`)).toBeUndefined()
  await gateway.fetch(`/queue/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })
  expect((await call()).status).toBe(status)
})

test.each([
  ['is not there', `hello@${revisionId.replace('4', '5')}`],
  ['is of another app', `other@${revisionId}`],
  ['has no name', 'hello@'],
  ['has no sense', 'hello@%00'],
  ['is of an app that is not there', `nothing@${revisionId}`],
])('a revision that %s is not found', async (_, name) => {
  await appWithRevision()
  await gateway.addApp('other')
  const answer = await gateway.fetch(`/ann/${name}`, { method: 'POST', body: '{}' })
  expect(answer.status).toBe(404)
  expect(await answer.text()).toMatch(/not found/)
})

test('many first calls at once make one of it', async () => {
  await appWithRevision()
  const submit = () => gateway.fetch(`/queue/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })
  const all = await Promise.all(Array.from({ length: 8 }, submit))
  expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
  expect([...gateway.apps.all()].filter(({ app }) => app.revisionOf === 'app-hello')).toHaveLength(1)
})

test.each([
  ['its app', () => deleteApp('app-hello', 9)],
  ['the revision', () => deleteRevision(revisionId, 9)],
])('it is gone when %s is deleted', async (_, deletion) => {
  await appWithRevision()
  await gateway.fetch(`/queue/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })
  expect(await gateway.store.commit(deletion())).toBe(true)
  await gateway.apps.refresh()
  expect(gateway.apps.find('ann', `hello@${revisionId}`)).toBeUndefined()
  expect((await gateway.fetch(`/ann/hello@${revisionId}`, { method: 'POST', body: '{}' })).status).toBe(404)
})
