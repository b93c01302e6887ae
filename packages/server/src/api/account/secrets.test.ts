import { Code, ConnectError } from '@connectrpc/connect'
import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import type { SecretValues } from '../../domain/secret.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'

let control: TestControl

beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const

async function deploy(applicationName: string, more: { environmentName?: string; secrets?: { names: string[] } } = {}) {
  const request = { applicationName, environments, callable, deploymentStrategy: DeploymentStrategy.RECREATE, ...more }
  for await (const _ of control.client().registerApplication(request));
}

async function errorOf(work: Promise<unknown>): Promise<ConnectError> {
  return work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => ConnectError.from(error),
  )
}

const names = async (environmentName?: string) =>
  (await control.client().listSecrets(environmentName === undefined ? {} : { environmentName })).secrets.map(
    ({ name }) => name,
  )
const apps = async (environmentName?: string) =>
  (await control.client().listAliases(environmentName === undefined ? {} : { environmentName })).aliases.map(
    ({ alias }) => alias,
  )
const staging = { environmentName: 'staging' }

describe('environments', () => {
  test('main is always there, the default, and neither made nor deleted', async () => {
    const { listEnvironments, createEnvironment, deleteEnvironment } = control.client()
    expect((await listEnvironments({})).environments).toMatchObject([{ name: 'main', isDefault: true }])
    expect(await errorOf(createEnvironment({ name: 'main' }))).toMatchObject({
      rawMessage: expect.stringContaining('exists'),
    })
    expect(await errorOf(deleteEnvironment({ name: 'main' }))).toMatchObject({ code: Code.InvalidArgument })
  })

  test('are made once, and listed with what was said about them', async () => {
    const { listEnvironments, createEnvironment } = control.client()
    const { environment } = await createEnvironment({ name: 'staging', description: 'before it counts' })
    expect(environment).toMatchObject({ name: 'staging', description: 'before it counts', isDefault: false })
    expect(environment?.createdAt?.seconds).toBeGreaterThan(0n)
    expect(await errorOf(createEnvironment({ name: 'staging' }))).toMatchObject({
      rawMessage: 'Environment "staging" exists already',
    })
    const listed = (await listEnvironments({})).environments
    expect(listed.map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ['main', true],
      ['staging', false],
    ])
  })

  test.each(['', 'Staging', 'a--b', '-a', 'a/b', '../etc', 'a\0', 'x'.repeat(10_000)])(
    '%j is no name',
    async (name) => {
      expect(await errorOf(control.client().createEnvironment({ name }))).toMatchObject({ code: Code.InvalidArgument })
    },
  )

  test('that are not there are "not found", whatever is asked of them', async () => {
    const { createEnvironment, deleteEnvironment, listApplications, listAliases, listSecrets, setSecret } =
      control.client()
    await createEnvironment({ name: 'other' })
    const gone = await errorOf(deleteEnvironment({ name: 'staging' }))
    expect(gone).toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringMatching(/^Environment "\w+" not found/),
    })
    const asked = [
      listAliases(staging),
      listApplications(staging),
      listApplications({ applicationName: 'hello--staging', ...staging }),
      listSecrets(staging),
      setSecret({ name: 'TOKEN', value: 'x', ...staging }),
      deploy('hello--staging', staging),
      control.client(control.keys.bob).listAliases({ environmentName: 'other' }),
    ]
    for (const error of await Promise.all(asked.map(errorOf))) {
      expect(error).toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringMatching(/^Environment "\w+" not found: there is main/),
      })
    }
  })

  test('keep their apps apart, whose names carry the suffix already', async () => {
    await control.client().createEnvironment({ name: 'staging' })
    await deploy('hello')
    await deploy('hello--staging', staging)
    expect([await apps(), await apps('staging')]).toEqual([['hello'], ['hello--staging']])
    for (const [name, more] of [
      ['hello', staging],
      ['hello--other', staging],
      ['hello--staging--staging', staging],
      ['hello--staging', {}],
    ] as const) {
      expect(await errorOf(deploy(name, more))).toMatchObject({ code: Code.InvalidArgument })
    }
    const { listApplications, deleteAlias } = control.client()
    expect((await listApplications(staging)).applications).toMatchObject([staging])
    expect(await errorOf(deleteAlias({ alias: 'hello--staging' }))).toMatchObject({ code: Code.NotFound })
  })

  test('take their apps, revisions and secrets along when they are deleted', async () => {
    const { createEnvironment, deleteEnvironment, listApplications, setSecret } = control.client()
    await createEnvironment({ name: 'staging' })
    await setSecret({ name: 'TOKEN', value: 'of staging', ...staging })
    await setSecret({ name: 'TOKEN', value: 'of main' })
    await deploy('hello')
    await deploy('hello--staging', staging)
    await deleteEnvironment({ name: 'staging' })
    expect([...control.apps.all()].map(({ app }) => app.name)).toEqual(['hello'])
    await createEnvironment({ name: 'staging' })
    expect([await apps('staging'), await names('staging')]).toEqual([[], []])
    expect((await listApplications(staging)).applications).toEqual([])
    expect([await apps(), await names()]).toEqual([['hello'], ['TOKEN']])
    await deploy('hello--staging', staging)
    expect((await listApplications({ applicationName: 'hello--staging', ...staging })).applications).toHaveLength(1)
  })

  test('are the business of their own account', async () => {
    const bob = control.client(control.keys.bob)
    await bob.createEnvironment({ name: 'staging' })
    expect((await control.client().listEnvironments({})).environments).toHaveLength(1)
    expect(await errorOf(control.client().deleteEnvironment({ name: 'staging' }))).toMatchObject({
      code: Code.NotFound,
    })
  })
})

describe('secrets', () => {
  const set = (name: string, value?: string) =>
    control.client().setSecret(value === undefined ? { name } : { name, value })

  test('are listed by name, with where and since when, and never with a value', async () => {
    await set('TOKEN', 'a value nobody sees')
    const answer = await control.client().listSecrets({})
    expect(answer.secrets).toMatchObject([{ name: 'TOKEN', environmentName: 'main', defaultExposed: true }])
    expect(answer.secrets[0]?.createdTime?.seconds).toBeGreaterThan(0n)
    expect(
      JSON.stringify(answer, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
    ).not.toContain('nobody')
  })

  test('keep their flag when they are set without one', async () => {
    const { setSecret, listSecrets } = control.client()
    await setSecret({ name: 'TOKEN', value: 'one', defaultExposed: false })
    await set('TOKEN', 'two')
    expect((await listSecrets({})).secrets).toMatchObject([{ defaultExposed: false }])
  })

  test('are unset by setting them without a value; an empty value is a value', async () => {
    await set('TOKEN', '')
    expect(await names()).toEqual(['TOKEN'])
    await set('TOKEN')
    expect(await names()).toEqual([])
    expect(await errorOf(set('TOKEN'))).toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringContaining('"TOKEN"'),
    })
  })

  test.each([
    ['1ST', 'x', 'use letters'],
    ['A-B', 'x', 'use letters'],
    ['', 'x', 'use letters'],
    ['A'.repeat(129), 'x', 'use letters'],
    ['FAL_KEY', 'x', 'the platform sets'],
    ['fal_key', 'x', 'the platform sets'],
    ['CARRICK_CALLABLE', 'x', 'the platform sets'],
    ['PATH', 'x', 'the platform sets'],
    ['TOKEN', 'canary'.repeat(11_000), 'longer than 64 KiB'],
    ['TOKEN', 'canary\0', 'zero byte'],
  ])('%j with some values is refused, without a word of the value', async (name, value, words) => {
    const error = await errorOf(set(name, value))
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: expect.stringContaining(words) })
    expect(error.rawMessage).not.toContain('canary')
    expect(await names()).toEqual([])
  })

  test('are in the database only encrypted', async () => {
    await set('TOKEN', 'canary-at-rest')
    for (const file of [control.store.file, `${control.store.file}-wal`]) {
      const content = await readFile(file)
      expect([content.includes('TOKEN'), content.includes('canary')]).toEqual([file.endsWith('-wal'), false])
    }
  })

  test('are the business of their own account', async () => {
    await control.client(control.keys.bob).setSecret({ name: 'TOKEN', value: 'of bob' })
    expect(await names()).toEqual([])
    expect(await errorOf(set('TOKEN'))).toMatchObject({ code: Code.NotFound })
  })
})

describe('an app', () => {
  const listOf = (name: string) => control.apps.find('ann', name)?.active?.spec.secrets

  test('has no list, an empty one, or names; the platform’s key is no stored secret', async () => {
    await control.client().setSecret({ name: 'TOKEN', value: 'x', defaultExposed: false })
    await deploy('absent')
    await deploy('empty', { secrets: { names: [] } })
    await deploy('key', { secrets: { names: ['FAL_KEY'] } })
    await deploy('named', { secrets: { names: ['TOKEN', 'FAL_KEY', 'TOKEN'] } })
    expect(['absent', 'empty', 'key', 'named'].map(listOf)).toEqual([undefined, [], [], ['TOKEN']])
  })

  test('cannot list what its environment does not have', async () => {
    await control.client().createEnvironment({ name: 'staging' })
    await control.client().setSecret({ name: 'TOKEN', value: 'x' })
    const error = await errorOf(deploy('hello--staging', { ...staging, secrets: { names: ['TOKEN'] } }))
    expect(error).toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringContaining('Secret "TOKEN" not found in environment "staging"'),
    })
  })

  test('is built with what it sees and nothing else', async () => {
    const { setSecret, buildEnvironment } = control.client()
    await setSecret({ name: 'OPEN', value: 'one' })
    await setSecret({ name: 'CLOSED', value: 'two', defaultExposed: false })
    const given: SecretValues[] = []
    control.script.build = async (_, { secrets }) => {
      given.push(secrets)
      return 'e'.repeat(64)
    }
    for await (const _ of buildEnvironment({ environments, secrets: { names: ['CLOSED'] } }));
    await deploy('absent')
    await deploy('empty', { secrets: { names: [] } })
    expect(given).toEqual([{ CLOSED: 'two' }, { OPEN: 'one' }, {}])
  })
})
