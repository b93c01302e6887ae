import { ApplicationAuthMode, DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { beforeAll, expect, test } from 'vitest'
import { formatKey } from '../../access/credentials.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import type { AppCard } from './app-card.ts'

let control: TestControl
beforeAll(async () => {
  control = await openTestControl()
  await deploy('secret', 'private')
  await deploy('open', 'public')
  await deploy('common', 'shared')
  return () => control[Symbol.asyncDispose]()
})

const openapi = { paths: { '/': { post: {} } }, 'x-fal-metadata': { about: 'Greets' } }

async function deploy(name: string, mode: 'private' | 'public' | 'shared') {
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
  const metadata = { openapi, message: 'the first', annotations: { commit: 'abc' } }
  const authMode = ApplicationAuthMode[mode.toUpperCase() as 'PRIVATE']
  const request = { applicationName: name, environments, callable, metadata, authMode }
  for await (const _ of control.client().registerApplication({
    ...request,
    deploymentStrategy: DeploymentStrategy.RECREATE,
  }));
}

async function cardFor(name: string, key: string | null) {
  const { status, body } = await control.rest(`/dashboard/data/ann/${name}`, { key })
  return { status, card: body as AppCard }
}

test('the owner sees all of an app', async () => {
  const { card } = await cardFor('secret', control.keys.ann)
  expect(card).toMatchObject({ owner: 'ann', name: 'secret', auth_mode: 'private', about: 'Greets', openapi })
  expect(card.owned).toMatchObject({
    state: 'No runner: the next call starts one',
    environment: 'main',
    message: 'the first',
    annotations: { commit: 'abc' },
    queued: 0,
  })
})

test('those who may call an app see how, and nothing else', async () => {
  for (const [name, key] of [
    ['open', null],
    ['open', control.keys.bob],
    ['common', control.keys.bob],
  ] as const) {
    const { status, card } = await cardFor(name, key)
    expect(status).toBe(200)
    expect(Object.keys(card).toSorted()).toEqual(['about', 'auth_mode', 'name', 'openapi', 'owner'])
  }
  const onlyCalls = formatKey(await control.keyring.mint('account-ann', ['apps:call'], 'calls'))
  expect((await cardFor('secret', onlyCalls)).card.owned).toBeUndefined()
})

test('to everybody else an app that is not theirs to call is as one that is not there', async () => {
  const strangers = [null, 'nobody:wrong', control.keys.bob]
  for (const [name, keys] of [
    ['secret', strangers],
    ['common', strangers.slice(0, 2)],
  ] as const) {
    for (const key of keys) {
      const there = await control.rest(`/dashboard/data/ann/${name}`, { key })
      const nowhere = await control.rest(`/dashboard/data/ann/nothing`, { key })
      expect(there.status).toBe(404)
      expect(JSON.stringify(there).replace(name, 'nothing')).toBe(JSON.stringify(nowhere))
    }
  }
})

test('a log is followed by its owner alone, from what was said lately on', async () => {
  const app = control.apps.find('ann', 'open')?.app
  const line = { at: control.clock.now(), source: 'user', level: 'stdout', accountId: 'account-ann' } as const
  control.logs.append({ ...line, message: 'hello', ...(app ? { appId: app.id } : {}) })
  control.logs.append({ ...line, message: 'of another app', appId: 'another' })
  const { createRest } = await import('../rest/rest.ts')
  const leaving = new AbortController()
  const answer = await createRest(control.deps).request('/dashboard/data/ann/open/logs', {
    headers: { authorization: `Key ${control.keys.ann}` },
    signal: leaving.signal,
  })
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  const { value } = await reader.read()
  expect(value).toMatch(/^data: {"timestamp":"[^"]*","message":"hello","level":"STDOUT"}\n\n$/)
  leaving.abort()
  await reader.cancel()
  expect(await control.rest('/dashboard/data/ann/open/logs', { key: control.keys.bob })).toMatchObject({ status: 404 })
})
